"""From the outcomes of a plan's steps to one answer."""

from goalgraph.synthesis.choice import SynthesisSpec, as_synthesizer
from goalgraph.synthesis.model import ModelSynthesizer
from goalgraph.synthesis.plain import Concatenate, LastWins
from goalgraph.synthesis.synthesizer import Synthesis, SynthesisRequest, Synthesizer

__all__ = [
    "Concatenate",
    "LastWins",
    "ModelSynthesizer",
    "Synthesis",
    "SynthesisRequest",
    "SynthesisSpec",
    "Synthesizer",
    "as_synthesizer",
]
