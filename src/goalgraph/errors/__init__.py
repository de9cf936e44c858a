"""The one error tree of goalgraph.

```text
GoalgraphError
├── InvalidPlan (ValueError)            a plan with problems, all of them in problems
├── InvalidAlias (ValueError)           a name under which no plan can be saved
├── InvalidGoal (ValueError)            no goal, or one that cannot be planned
├── PlannerError                        the planner's model gave no usable plan
│   ├── PlannerTruncated                the answer was cut at the token limit
│   ├── PlannerRefused                  the model refused
│   ├── PlannerFiltered                 a content filter stopped the answer
│   ├── PlannerEmpty                    the answer had no content
│   └── PlannerInvalid (ValueError)     still invalid after the last repair, see problems
├── ModelFailed (ConnectionError)       the model could not be called
├── UnknownModel (ValueError)           no such provider, or a name that names none
├── MissingExtra (ImportError)          an optional dependency is not installed
├── InvalidSpecialist (ValueError)      a name that is taken, blank or unusable
├── UnknownSpecialist (LookupError)     no specialist of that name
├── UnknownPlan (LookupError)           no plan is saved under that alias, or in that version
├── InvalidData (ValueError)            a data file or document that cannot be read
├── MissingArtifact (LookupError)       nothing is kept under a reference, or there is no store
├── DamagedArtifact (ValueError)        what is kept under a reference is not what was put there
├── NoConfinement (RuntimeError)        a program cannot be confined on this machine
├── ProgramFailed (RuntimeError)        a program in a sandbox came to nothing usable
├── InvalidInput (ValueError)           a step's input that its specialist cannot take
├── ToolFailed (RuntimeError)           a tool says that it failed
├── ServerGone (ConnectionError)        a server of tools cannot be reached any more
├── InvalidPrompt (ValueError)          a template rendered with missing or surplus values
├── NothingReceived (TimeoutError)      no message came for a step in time
├── DelegationRefused (RuntimeError)    work that a step may not have another specialist do, see reason
├── AttemptOver (RuntimeError)          code that was left behind used the context of an attempt that is over
├── HookFailed (RuntimeError)           a hook of the caller's raised, see hook
├── SynthesisFailed (RuntimeError)      the answer could not be written
├── InvalidState (ValueError)           something that does not fit was to be written into a run's state
├── CorruptRun (RuntimeError)           what is stored of a run is not what was written
├── AnswerRefused (ValueError)          answers of several kinds that cannot be used, see problems
│   ├── InvalidAnswer                   no answer to what was asked
│   ├── UnknownRequest (LookupError)    nothing of that id is asked
│   ├── ForeignRequest (LookupError)    another run asks it
│   ├── StaleRequest (LookupError)      something else is asked by now
│   └── AlreadyAnswered                 it was answered before, and otherwise
├── LimitReached (RuntimeError)         a run's limit of money, tokens or calls, see limit
├── RunBusy (RuntimeError)              another call is at the thread's run
├── RunPaused (RuntimeError)            a new goal for a run that waits for answers
├── MissingThread (ValueError)          a run that is kept, and no thread_id to keep it under
├── MissingCheckpointer (RuntimeError)  a question that nobody could answer, because nothing keeps the run
└── UnknownRun (LookupError)            no run to resume under that name
```
"""

from goalgraph.errors.planning import (
    InvalidAlias,
    InvalidGoal,
    InvalidPlan,
    InvalidPrompt,
    LimitReached,
    MissingExtra,
    ModelFailed,
    PlannerEmpty,
    PlannerError,
    PlannerFiltered,
    PlannerInvalid,
    PlannerRefused,
    PlannerTruncated,
    UnknownModel,
    UnknownPlan,
)
from goalgraph.errors.root import (
    GoalgraphError,
    PlanProblem,
)
from goalgraph.errors.running import (
    AlreadyAnswered,
    AnswerProblem,
    AnswerRefused,
    CorruptRun,
    ForeignRequest,
    HookFailed,
    InvalidAnswer,
    InvalidState,
    MissingCheckpointer,
    MissingThread,
    RunBusy,
    RunPaused,
    StaleRequest,
    SynthesisFailed,
    UnknownRequest,
    UnknownRun,
)
from goalgraph.errors.working import (
    AttemptOver,
    DamagedArtifact,
    DelegationRefused,
    InvalidData,
    InvalidInput,
    InvalidSpecialist,
    MissingArtifact,
    NoConfinement,
    NothingReceived,
    ProgramFailed,
    ServerGone,
    ToolFailed,
    UnknownSpecialist,
)

__all__ = [
    "AlreadyAnswered",
    "AnswerProblem",
    "AnswerRefused",
    "AttemptOver",
    "CorruptRun",
    "DamagedArtifact",
    "DelegationRefused",
    "ForeignRequest",
    "GoalgraphError",
    "HookFailed",
    "InvalidAlias",
    "InvalidAnswer",
    "InvalidData",
    "InvalidGoal",
    "InvalidInput",
    "InvalidPlan",
    "InvalidPrompt",
    "InvalidSpecialist",
    "InvalidState",
    "LimitReached",
    "MissingArtifact",
    "MissingCheckpointer",
    "MissingExtra",
    "MissingThread",
    "ModelFailed",
    "NoConfinement",
    "NothingReceived",
    "PlanProblem",
    "PlannerEmpty",
    "PlannerError",
    "PlannerFiltered",
    "PlannerInvalid",
    "PlannerRefused",
    "PlannerTruncated",
    "ProgramFailed",
    "RunBusy",
    "RunPaused",
    "ServerGone",
    "StaleRequest",
    "SynthesisFailed",
    "ToolFailed",
    "UnknownModel",
    "UnknownPlan",
    "UnknownRequest",
    "UnknownRun",
    "UnknownSpecialist",
]
