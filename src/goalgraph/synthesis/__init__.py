"""From the outcomes of a plan's steps to one answer."""

from goalgraph.planner.source import Source
from goalgraph.synthesis.choice import SynthesisSpec, as_synthesizer, synthesizer_of
from goalgraph.synthesis.model import ModelSynthesizer
from goalgraph.synthesis.plain import Concatenate, LastWins, synthesized
from goalgraph.synthesis.response_format import ResponseFormat, ResponseSpec, as_response_format
from goalgraph.synthesis.sources import named_by
from goalgraph.synthesis.structured import StructuredSynthesizer
from goalgraph.synthesis.synthesizer import Synthesis, SynthesisRequest, Synthesizer

__all__ = [
    "Concatenate",
    "LastWins",
    "ModelSynthesizer",
    "ResponseFormat",
    "ResponseSpec",
    "Source",
    "StructuredSynthesizer",
    "Synthesis",
    "SynthesisRequest",
    "SynthesisSpec",
    "Synthesizer",
    "as_response_format",
    "as_synthesizer",
    "named_by",
    "synthesized",
    "synthesizer_of",
]
