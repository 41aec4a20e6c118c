"""Which question to a witness would now split the first candidates best (not in the paper).

Each candidate is taken to be the person in the proportion in which its score says so among those looked at; the answer
that each would give is read from its attribute card. The information of a question is what its answer tells of who it
is: H(answer) − Σ_i p_i·H(answer | candidate i), in bits; a witness who errs makes every answer tell less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tgfr_search.errors import InputError
from tgfr_search.types import QueryResult, SearchHit

FIRST = 50
"""Candidates that are split."""
SLIP = 0.1
"""Probability that a witness answers a question wrongly."""

QUESTIONS: dict[str, str] = {
    "5_o_clock_shadow": "Was he unshaven, with stubble?", "arched_eyebrows": "Were the eyebrows arched?",
    "bags_under_eyes": "Were there bags under the eyes?", "bald": "Was he bald?",
    "bangs": "Did hair hang over the forehead, a fringe?", "big_lips": "Were the lips full?",
    "big_nose": "Was the nose big?", "black_hair": "Was the hair black?", "blond_hair": "Was the hair blond?",
    "brown_hair": "Was the hair brown?", "bushy_eyebrows": "Were the eyebrows bushy?",
    "chubby": "Was the face chubby?", "double_chin": "Was there a double chin?",
    "eyeglasses": "Did the person wear glasses?", "goatee": "Was there a goatee?", "gray_hair": "Was the hair grey?",
    "heavy_makeup": "Was there a lot of make-up?", "high_cheekbones": "Were the cheekbones high?",
    "male": "Was it a man?", "mustache": "Was there a moustache?", "narrow_eyes": "Were the eyes narrow?",
    "no_beard": "Was he without any beard?", "oval_face": "Was the face oval?", "pale_skin": "Was the skin pale?",
    "pointy_nose": "Was the nose pointed?", "receding_hairline": "Was the hairline receding?",
    "rosy_cheeks": "Were the cheeks rosy?", "sideburns": "Were there sideburns?",
    "straight_hair": "Was the hair straight?", "wavy_hair": "Was the hair wavy?",
    "wearing_earrings": "Did the person wear earrings?", "wearing_hat": "Did the person wear a hat or cap?",
    "wearing_lipstick": "Was there lipstick?", "wearing_necklace": "Did the person wear a necklace?",
    "wearing_necktie": "Did the person wear a tie?", "young": "Was the person young?",
}  # fmt: skip
"""Attribute → question. Not of a passing look (a smile, an open mouth), an opinion, or a fault of the photo."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question and what its answer is worth.

    Attributes:
        attribute: It asks for.
        text: The question.
        bits: Expected information about which candidate it is.
        yes: Probability of the answer yes.
        if_yes: Subject ids that the answer yes would raise most, with the factor of their probability.
        if_no: The same of the answer no.
    """

    attribute: str
    text: str
    bits: float
    yes: float
    if_yes: tuple[tuple[str, float], ...]
    if_no: tuple[tuple[str, float], ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def questions(result: QueryResult, *, first: int = FIRST, slip: float = SLIP) -> tuple[Question, ...]:
    """Questions to the witness, the most telling first; those that the description answers are left out.

    Args:
        result: Of a search, with the candidates that are to be split.
        first: How many of them are looked at.
        slip: Probability that the witness errs.

    Raises:
        InputError: Fewer than two candidates, or the model does not tell what faces show.
    """
    return questions_of(result.candidates[:first], result.description, slip=slip)


def questions_of(
    hits: Sequence[SearchHit], description: Mapping[str, Any] | None, *, slip: float = SLIP
) -> tuple[Question, ...]:
    """As `questions`, of these candidates and what was understood of the description."""
    if len(hits) < 2:
        raise InputError("ask", found=f"{len(hits)} candidate(s)", expected="two or more to tell apart")
    if not all(hit.attributes for hit in hits):
        do = "tgfr-search model fit-statements"
        raise InputError("ask", found="a model that does not tell what faces show", expected="one that does", do=do)
    said = {own["attribute"] for own in (description or {}).get("statements", ()) if own["sure"]}
    scores = np.array([hit.score for hit in hits])
    belief = np.exp(scores - scores.max())
    belief /= belief.sum()
    made = [
        _question(name, hits, belief, slip) for name in QUESTIONS if name in hits[0].attributes and name not in said
    ]
    return tuple(sorted(made, key=lambda own: -own.bits))


def _question(name: str, hits: Sequence[SearchHit], belief: npt.NDArray[np.float64], slip: float) -> Question:
    shown = np.array([hit.attributes[name] for hit in hits])
    answers = shown * (1 - slip) + (1 - shown) * slip
    yes = float(belief @ answers)
    bits = max(0.0, float(_entropy(np.array(yes)) - belief @ _entropy(answers)))
    raised = [(hit.subject_id, float(each) / yes) for hit, each in zip(hits, answers, strict=True)]
    lowered = [(hit.subject_id, float(1 - each) / (1 - yes)) for hit, each in zip(hits, answers, strict=True)]
    return Question(name, QUESTIONS[name], round(bits, 4), round(yes, 4), _top(raised), _top(lowered))


def _entropy(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    p = np.clip(p, 1e-12, 1 - 1e-12)
    return np.asarray(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)))


def _top(factors: Sequence[tuple[str, float]], count: int = 3) -> tuple[tuple[str, float], ...]:
    return tuple((who, round(factor, 2)) for who, factor in sorted(factors, key=lambda own: -own[1])[:count])
