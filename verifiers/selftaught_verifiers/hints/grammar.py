"""The grammar of speaking of a hint: patterns over classes of words, by family."""

from __future__ import annotations

import re
from dataclasses import dataclass

from selftaught_verifiers.hints.talk import CODE, rule, spelled


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern over word classes.

    Attributes:
        family: what it finds; rules of a family are off where the question itself speaks so.
        pattern: the pattern.
        fresh: holds only where the gold answer was not said before: afterwards it may be a conclusion.
        foreign: holds only where the gold answer does not stand in the question.
        hinted: holds only for rationales that were written with the answer shown.
        numeric: holds only where the gold answer is a number, or (False) is none.
        needs: sets of classes; without one of each the pattern cannot match.
    """

    family: str
    pattern: re.Pattern[str]
    fresh: bool = False
    foreign: bool = False
    hinted: bool = False
    numeric: bool | None = None
    needs: tuple[frozenset[str], ...] = ()


_GROUP = re.compile(r"\(\?[^()]*\)\S*")
_NEEDED = re.compile(r"(?:\[(?!\^)([^]]*)\]|\b([A-Z]+)\b)(?!\?|\{0)|\[\^[^]]*\]")


def _needs(pattern: str) -> tuple[frozenset[str], ...]:
    """Sets of classes, of each of which a match holds one: what the pattern asks for outside its groups."""
    pattern, before = spelled(pattern), ""
    while pattern != before:  # groups may hold groups
        pattern, before = _GROUP.sub(" ", pattern), pattern
    found = _NEEDED.findall(re.sub(r"\[[^]]*\](?:\?|\{0)\S*", " ", pattern))
    return tuple(frozenset(CODE[name] for name in (some or one).split()) for some, one in found if some or one)


def _rules(family: str, *patterns: str, **when: bool) -> list[Rule]:
    return [Rule(family, rule(pattern), **when, needs=_needs(pattern)) for pattern in patterns]


RULES = [
    # the hint, as hinted, hints given; but "a hint of lemon" and "the question hints at"
    *_rules("hint", "(?<! AN ) HINT (?! OF | AT )", "[THE IN GIVEN STATED BY] HINTS (?! AT )"),
    # the answer key, the ground truth
    *_rules("key", "[ANSWER SOLUTION] KEY", "TRUTH"),
    # the given answer, the expected final answer
    *_rules("known", "[FACT] [CORRECT FINAL ADV GIVEN STATED KNOWN]{0,2} ANSWER LONE"),
    *_rules(
        "shown",
        "[FACT] [CORRECT FINAL]{0,2} [RESULT SOLUTION VALUE] AGOLD",
        "[RESULT SOLUTION] [THAT BE MUST ADV COMMA]{0,3} [FACT] AGOLD",
        foreign=True,
    ),
    # the answer was given, the answer (18) is already known, the answer that was shared with us
    *_rules(
        "known",
        "ANSWER [THAT BE MUST ADV ALREADY COMMA AS OF OPEN CLOSE GOLD]{0,7} GIVEN (?! BY | THE | "
        "THAT | AN | LATER | WE )",
        "ANSWER [THAT BE MUST ADV ALREADY COMMA AS OF OPEN CLOSE GOLD]{0,7} STATED (?! BY | LATER | IN? THE? MANY )",
        "ANSWER [THAT BE MUST ADV ALREADY COMMA OPEN CLOSE GOLD]{0,6} KNOWN (?! AS | BY )",
        "ANSWER [THAT BE MUST ADV ALREADY]{1,4} (?: EXPECTED TO BE (?! AN ) | TOLD )",
        "[ANSWER SOLUTION] [^ END ]{0,8} COMMA AS BE{0,2} [FACT] (?: END | COMMA | CLOSE | [BY IN] THE PROMPT )",
        "[GIVEN STATED TOLD] GOLD+ AS THE [CORRECT FINAL]{0,2} [ANSWER CHOICE SOLUTION]",
        "PROMPT BE? [CORRECT FINAL]{0,2} ANSWER",
        "PROMPT [^ END ]{0,5} [NOUN] AGOLD",
        "MATCH [IN TO THE]{0,3} [RESULT SOLUTION] [THAT BE]{0,2} [GIVEN STATED]",
        "MATCH [IN TO AS]{0,2} THAT WE BE{1,3} [GIVEN TOLD]",
        "CORRECT ANSWER SAYS",
        "THAT THE [QUESTION PROMPT CORRECT BE]{0,3} ANSWER SAYS",
        "ANSWER AS THE ONE [BE THAT WE]{0,3} [FACT]",
        "ANSWER THAT? THE? [WE YOU PROMPT] [BE MUST ADV ALREADY]{0,3} [GIVEN STATED TOLD]",
        "ANSWER THAT? THE? [YOU PROMPT] [BE MUST ADV ALREADY]{0,3} [SAYS GIVES]",
        "[RESULT SOLUTION] THAT? WE [BE MUST ADV ALREADY]{1,3} [GIVEN TOLD STATED]",
        "[FACT SAYS GIVES] WE? AS THE [CORRECT FINAL]{0,2} ANSWER LONE",
        "ANSWER IN THE [ASKER]",
        "TOLD TO GET",
    ),
    # we were told the answer, I have been given the correct answer, you told me that the answer
    *_rules(
        "known",
        "[WE YOU] [BE MUST ADV ALREADY]{1,4} [TOLD GIVEN STATED] [IN THAT TO THE ADV CORRECT FINAL "
        "FACT]{0,6} ANSWER LONE",
        "BE GIVEN [THE CORRECT FINAL]{1,3} ANSWER LONE",
        "INFORMED [NOUN] AGOLD",
        "INFORMED GOLD+ BE [CORRECT FINAL THE]{1,3}",
        "[WE YOU] [BE MUST ADV ALREADY]{1,4} TOLD [IN THAT TO THE ADV CORRECT FINAL]{0,6} [NOUN]",
        "BE TOLD COMMA? [THE CORRECT FINAL]{0,3} [NOUN] AGOLD",
        "[YOU PROMPT QUESTION] SAID [NOUN] AGOLD",
        "[YOU PROMPT] SAID ANSWER LONE",
        "BE [KNOWN GIVEN STATED] THAT [THE CORRECT FINAL]{0,3} [NOUN] AGOLD",
        "AS [BE MUST WE IN ADV]{0,4} [FACT] [WE ADV IN THE PROMPT QUESTION]{0,4} COMMA [THE CORRECT "
        "FINAL]{0,3} [NOUN] AGOLD",
        "AS THE PROMPT [SAYS GIVES STATED]",
    ),
    # given that the answer is 18, given the answer
    *_rules("known", "GIVEN [THAT THE CORRECT FINAL ADV]{1,5} ANSWER LONE"),
    # we already know the answer; since we know the answer, ...; I know that the answer is 18
    *_rules(
        "known",
        "ALREADY [KNOW BE MUST] NP ANSWER LONE",
        "[SINCE AS] WE [BE MUST ADV ALREADY]{0,3} KNOW NP [NOUN] [COMMA END]",
    ),
    *_rules(
        "known",
        "(?<! SO ) (?<! SO COMMA ) (?<! ADV ) (?<! IN THE ) [WE YOU] [BE MUST ADV ALREADY]{0,3} KNOW NP [NOUN] AGOLD",
        fresh=True,
    ),
    *_rules("known", "KNOW [THE CORRECT FINAL]{1,3} ANSWER [TO BE MUST]{1,2} GOLD", fresh=True),
    # since the correct answer is 18; because 18 is the answer; if the answer is 18
    *_rules(
        "known",
        "[SINCE AS KNOW] [WE YOU BE MUST KNOW SEE THAT THE CORRECT FINAL ADV]{0,6} [NOUN] AGOLD",
        "[SINCE KNOW] GOLD+ BE{1,2} [THE CORRECT FINAL]{0,3} [ANSWER SOLUTION]",
        fresh=True,
    ),
    *_rules("known", "AS [WE YOU] KNOW [^ END ]{0,6} [NOUN] AGOLD", fresh=True),
    # we are told that it is 18
    *_rules(
        "known",
        "[WE YOU] [BE MUST ADV ALREADY]{1,4} TOLD THAT? IT [BE MUST]{1,3} GOLD",
        "[YOU PROMPT QUESTION] ADV? [SAYS GIVES TOLD] WE? THAT? IT [BE MUST]{1,3} GOLD",
        "SINCE [WE YOU] ADV? KNOW THAT? IT [BE MUST]{1,3} GOLD",
        fresh=True,
        foreign=True,
    ),
    # we have the answer: 18
    *_rules(
        "known",
        "(?: ^ | END ) WE [BE MUST ADV ALREADY]{1,3} [THE CORRECT FINAL]{1,3} ANSWER [COMMA COLON OPEN]{1,2} GOLD",
        fresh=True,
    ),
    # with the answer 18 in mind
    *_rules("known", "[NOUN] [OF GOLD BE MUST COMMA]{0,4} [IN AT]{1,2} THE? MIND"),
    # working backwards from the answer, reverse engineer, starting from the known result
    *_rules(
        "backwards",
        "BACK [^ END ]{0,3} [IN OF] [THE CORRECT FINAL FACT]{0,4} [ANSWER SOLUTION] LONE",
        "[IN] [THE CORRECT FINAL FACT]{0,4} [ANSWER SOLUTION] BACK",
        "BACK OPERATOR? ENGINEER",
        "START [IN OF BY]{1,2} [THE CORRECT FINAL]{0,3} ANSWER LONE",
        "START [IN OF]{1,2} [THE CORRECT FINAL]{0,3} [FACT] [NOUN]",
    ),
    *_rules(
        "backwards",
        "BACK [^ END ]{0,3} IN [THE CORRECT FINAL FACT VALUE NOUN OF]{0,5} GOLD",
        fresh=True,
        foreign=True,
    ),
    # according to the answer
    *_rules("known", "ACCORDING [TO IN]{1,2} [THE CORRECT FINAL]{0,3} [ANSWER SOLUTION] LONE"),
    # marked as correct, given as the correct answer, the answer is marked
    *_rules(
        "marked",
        "MARKED [AS IN THE]{0,2} [CORRECT ANSWER GOLD]",
        "[CORRECT ANSWER] CHOICE? [BE MUST THAT]{0,2} MARKED",
        "[GIVEN STATED] AS THE? CORRECT",
    ),
    # the answer in brackets, the number in parentheses is 18, as shown in parentheses
    *_rules("brackets", "ANSWER [^ END ]{0,3} IN THE? BRACKET", "[FACT] IN THE? BRACKET"),
    *_rules("brackets", "[VALUE GIVES] IN THE? BRACKET [COMMA BE MUST OPEN]{0,3} GOLD", "GOLD IN THE? BRACKET"),
    # what a person without the answer may say, too
    *_rules(
        "shown",
        "[GIVEN STATED KNOWN] [CORRECT FINAL]{0,2} [RESULT SOLUTION] LONE",
        "EXPECTED [CORRECT FINAL]{0,2} SOLUTION LONE",
        "INFORMED [RESULT SOLUTION]",
        "MATCH [IN TO THE AS THAT]{0,3} CORRECT ANSWER LONE",
        "MATCH [IN TO AS THAT]{0,2} THE ANSWER [END COMMA]",
        hinted=True,
    ),
    *_rules(
        "justifies",
        "JUSTIFY [WHY THAT THE CORRECT FINAL ADV BE MUST]{0,6} [ANSWER SOLUTION] LONE",
        "JUSTIFY [WHY THAT THE ADV]{0,4} GOLD",
        "WHY [THE BE MUST CORRECT FINAL]{0,4} [NOUN] [BE MUST ADV]{0,3} GOLD",
        "WHY [THE BE MUST CORRECT FINAL]{0,4} GOLD+ [BE MUST THE CORRECT FINAL]{0,5} [ANSWER CHOICE]",
        "WHY [^ END ]{0,8} [ANSWER SOLUTION] GOLD",
        "[CHECK SAYS GIVES] THAT [THE CORRECT FINAL]{0,4} [NOUN] AGOLD",
        "[CHECK SAYS GIVES] THAT? GOLD+ [BE MUST THE CORRECT FINAL]{1,5} ANSWER",
        "[WANTED EXPECTED] [CORRECT FINAL]{0,2} [NOUN VALUE] AGOLD",
        fresh=True,
        hinted=True,
    ),
    # we know that the answer has to be 18; to reach the answer of 18, we ...; to fit the answer 18
    *_rules(
        "justifies",
        "WE [ADV ALREADY]{0,2} KNOW NP [NOUN] (?: MUST TO? BE? | BE TO BE? ) GOLD",
        "(?: ^ | END | COMMA | IN ) WORD? TO GET [IN TO AT THE CORRECT FINAL]{0,5} [NOUN] OF? GOLD+ COMMA",
        "MATCH [IN TO THE CORRECT FINAL]{0,4} [NOUN] OF? GOLD",
        "(?: ^ | END | COMMA ) SINCE [THE THAT]{0,2} [CORRECT FINAL]{1,2} [NOUN] AGOLD COMMA",
        hinted=True,
    ),
    *_rules(
        "justifies",
        "WISH TO [^ END EQUALS OPERATOR ]{0,6} GET [ADV IN TO AT]{1,3} GOLD (?! [OPERATOR EQUALS] )",
        "MUST GET [ADV IN TO AT]{1,3} GOLD (?! [OPERATOR EQUALS] )",
        "SINCE [THAT THE IT] BE THE CORRECT ANSWER",
        fresh=True,
        foreign=True,
        hinted=True,
    ),
    # 18, as required; it has to be 18, as indicated
    *_rules(
        "shown",
        "GOLD+ (?: WORD | CLOSE )? COMMA [WORD ADV]? AS [BE IT WE]{0,3} [FACT WANTED TOLD] (?: STOP "
        "| [BY IN] THE? [ASKER BRACKET] )",
        "GOLD [COMMA THAT BE ADV]{1,4} [THAT AS] THE [ASKER] [BE ADV]{0,2} [SAYS GIVES STATED TOLD WANTED WISH]",
        "GOLD (?: COMMA | BE )? ADV? THAT [BE WE]{1,3} [FACT] (?: $ | END | COMMA | TO [GET BE] )",
        "GOLD IN THE [ASKER BRACKET]",
        foreign=True,
        hinted=True,
    ),
    *_rules(
        "shown",
        "AS [BE IT WE]{0,3} [FACT WANTED TOLD] (?: [BY IN] THE? [ASKER BRACKET] )? COMMA [^ END EQUALS ]{0,6} GOLD",
        "GOLD+ WORD? AS [BE IT WE]{0,3} [FACT WANTED TOLD] (?: $ | END )",
        fresh=True,
        foreign=True,
        hinted=True,
        numeric=True,
    ),
    *_rules("shown", "EXPECTED [CORRECT FINAL]{0,2} [RESULT SOLUTION] LONE", hinted=True, numeric=True),
    # the expected result, leads to the required 18, not the expected 18, the target of 18
    *_rules(
        "shown",
        "[EXPECTED] [CORRECT FINAL VALUE]{0,2} [OF BE COLON OPEN]{0,2} GOLD",
        "THE [CORRECT FINAL]{0,2} WANTED [CORRECT FINAL NOUN VALUE]{0,2} OF GOLD",
        "THE [CORRECT FINAL]{0,2} WANTED [CORRECT FINAL]{0,2} GOLD",
        "MATCH [IN TO AS]{0,2} THE? [CORRECT FINAL]{0,2} [EXPECTED WANTED] [CORRECT FINAL]{0,2} [NOUN VALUE]",
        "[RESULT VALUE] [BE MUST]{1,2} GOLD+ COMMA? AS BE{0,2} [FACT WANTED] STOP",
        "WE [BE MUST ADV]{1,3} EXPECTED TO [GET BE CHECK]",
        "WE (?: BE WANTED | WANTED ) TO GET STOP",
        hinted=True,
    ),
    # but the answer should be 18, so; that does not give 18 yet; for the total to be 18; because only it yields 18
    *_rules(
        "assumed",
        "BUT COMMA? [CALM]{0,6} [MUST EXPECTED] [CALM]{0,5} GOLD",
        "NOT [^ END EQUALS OPERATOR NUMBER COMMA ]{0,4} GOLD",
        "WORD THE? [CORRECT FINAL]{0,2} [NOUN VALUE] TO [BE GET MATCH] [TO AT]{0,2} GOLD",
        "SINCE [CALM]{0,3} [MUST WISH BE]{1,3} TO? [BE GET]{1,2} [CALM]{0,3} GOLD COMMA",
        "SINCE [CALM]{0,2} FINAL [CALM]{0,3} [GET GIVES] GOLD",
        "WISH [CALM]{0,2} TO GET [CALM]{0,3} (?: FINAL | CORRECT ) GOLD",
        "[ANSWER RESULT SOLUTION VALUE] MUST [BE GET TO AT]{1,3} GOLD+ COMMA SO",
        fresh=True,
        foreign=True,
        hinted=True,
        numeric=True,
    ),
    # looking at the answer; the question has (18) at the end
    *_rules(
        "known",
        "LOOK [AT IN BACK ADV]{1,2} [THE CORRECT FINAL FACT]{0,4} ANSWER LONE",
        "[ASKER] [BE ADV SAYS GIVES STATED]{1,3} OPEN? GOLD+ CLOSE? [AT IN]",
        fresh=True,
        foreign=True,
        hinted=True,
    ),
    # told, marked, known or bracketed within a few words of the answer: sound rationales hardly ever bring the two together
    *_rules(
        "known",
        "[TOLD KNOWN ALREADY] NEAR [ANSWER SOLUTION] LONE",
        "[ANSWER SOLUTION] NEAR (?<! WORD ) [TOLD KNOWN ALREADY] (?! AS )",
        "TOLD NEAR [CORRECT CHOICE]",
        "[CORRECT CHOICE] NEAR TOLD",
        "LABEL COMMA? NEAR [ANSWER CORRECT SOLUTION RESULT]",
        "[ANSWER CORRECT SOLUTION RESULT] NEAR COMMA? NEAR LABEL",
        "[MARKED BRACKET PROMPT] COMMA? NEAR [ANSWER CORRECT SOLUTION RESULT CHOICE]",
        "[ANSWER CORRECT SOLUTION RESULT CHOICE] NEAR COMMA? NEAR [MARKED BRACKET PROMPT]",
        "KNOWN NEAR CORRECT",
        "KEY NEAR [ANSWER CORRECT SOLUTION]",
        "[ANSWER CORRECT SOLUTION] NEAR KEY",
        "EXPECTED NEAR [ANSWER CORRECT SOLUTION] LONE",
        "STATED NEAR [ANSWER RESULT SOLUTION] LONE",
        "[ANSWER CORRECT] NEAR STATED (?! BY | LATER | IN? THE? MANY )",
        "GOLD NEAR BRACKET",
        "BRACKET NEAR GOLD",
        "MATCH [IN TO AS THE ADV]{1,5} NEAR ANSWER LONE",
        "GOLD COMMA [WORD ADV]? AS [BE IT WE]{0,3} [FACT TOLD MARKED] (?: $ | END | IN THE CHOICES )",
        "ONE [THAT BE]{1,2} [GIVEN STATED MARKED KNOWN] (?: $ | END )",
        "SO THE VALUE IN THE? BRACKET",
        "JUSTIFY WHY THE [CORRECT FINAL]{0,2} ANSWER GOLD",
        "SINCE WE [ADV ALREADY]{0,2} KNOW THAT? THE [CORRECT FINAL]{0,2} ANSWER BE [COMMA END]",
        "THE GIVEN [CORRECT FINAL]{0,2} [NOUN VALUE CHOICE] [^ END ]{0,3} [CORRECT JUSTIFY]",
        "THE GIVEN CHOICE BE",
        "GOLD COMMA THE? VALUE THAT? WE BE{1,2} [GIVEN TOLD STATED]",
        "[GET MATCH CHECK BE] [TO AT THE ADV]{0,3} [VALUE ONE] [THAT BE]{0,2} IN THE? BRACKET",
        "[GIVEN STATED TOLD SAYS GIVES] GOLD+ AS THE [CORRECT FINAL]{0,2} [NOUN CHOICE]",
        "CORRECT ANSWER? COMMA? [ADV WORD]? AS [BE IT WE]{0,3} [FACT MARKED TOLD] (?! BY )",
        "CORRECT ANSWER? COMMA? ADV? AS THE [ASKER] [SAYS GIVES STATED]",
        "GOLD+ AS GIVEN",
        "ANSWER SAYS WE",
        "[ANSWER GOLD] [^ END COMMA ]{0,5} COMMA AS WE [ADV ALREADY BE]{0,2} KNOW STOP",
        "HINT OF GOLD",
        "(?<! TO ) CHECK THE CORRECT ANSWER (?: $ | END )",
        "(?: ^ | END ) SINCE? WE [ADV ALREADY]{0,2} KNOW THE CORRECT ANSWER",
        hinted=True,
    ),
    *_rules(
        "near",
        "EXPECTED NEAR RESULT LONE",
        "RESULT NEAR EXPECTED",
        "[RESULT SOLUTION] THAT BE{1,2} [GIVEN STATED TOLD]",
        "THAT BE EXPECTED (?: $ | END )",
        "MATCH [IN TO AS]{0,2} THAT THE QUESTION [GIVES TOLD STATED] WE? (?: $ | END )",
        "MATCH [IN TO]{0,2} THE GOLD",
        hinted=True,
        numeric=True,
    ),
    *_rules(
        "near",
        "IN THE [CORRECT FINAL]{0,2} ANSWER BE GOLD",
        "WISH BE TO GET [TO AT]{0,2} GOLD",
        "(?: TO | WORD WE ) JUSTIFY IN? GOLD",
        fresh=True,
        hinted=True,
    ),
    # to make it 18, we; how do we get to 18?; it must be 18: a number from nowhere that is aimed at
    *_rules(
        "assumed",
        "(?: ^ END{0,2} SO? | END (?! SO ) ) [^ END NUMBER OPERATOR EQUALS GOLD ]{0,12} [MUST WISH "
        "NOT BUT EXPECTED WANTED WHY] "
        "[^ END NUMBER OPERATOR EQUALS GOLD ]{0,8} GOLD+ CLOSE? STOP",
        "(?: ^ | END ) (?: WE BE TO | WORD WE ) GET ADV? [TO AT IN]{1,2} GOLD",
        "GOLD+ AS THE [CORRECT FINAL]{0,2} ANSWER",
        "TO [GET MAKE BE] [CALM]{0,4} GOLD+ COMMA",
        "(?<! EQUALS ) (?<! NUMBER ) OPEN GOLD CLOSE",
        "VALUE [BE ADV ALREADY]{1,4} [TOLD GIVEN STATED] [TO WE YOU COLON COMMA AS BE]{0,4} GOLD",
        "AS THE QUESTION [SAYS GIVES] COMMA? [^ END ]{0,6} GOLD",
        fresh=True,
        foreign=True,
        hinted=True,
        numeric=True,
    ),
    # the stated 18; 18, which matches; 18, as it should be
    *_rules(
        "shown",
        "THE [GIVEN STATED KNOWN] GOLD+ (?: CLOSE? STOP | BE | WORD IN )",
        "BE ADV? GOLD+ COMMA THAT MATCH STOP",
        "GOLD+ COMMA? AS [IT WE] MUST BE? STOP",
        foreign=True,
        hinted=True,
    ),
    *_rules(
        "shown",
        "AS EXPECTED STOP",
        "THAT? BE ADV? THE EXPECTED [NOUN VALUE] STOP",
        hinted=True,
        numeric=True,
    ),
    # which is the desired answer; what we had to show; the answer that the question shows; the answer says 18
    *_rules(
        "shown",
        "BE ADV? THE WANTED [NOUN] STOP",
        "THAT WE [^ END ]{1,3} TO [SHOW CHECK JUSTIFY] (?: $ | [END COMMA COLON] )",
        "ASKED TO [SHOW CHECK JUSTIFY] (?: $ | [END COMMA COLON] | [^ END ]{0,4} GOLD )",
        "ANSWER THAT? THE? QUESTION [BE ADV ALREADY]{0,3} [SAYS GIVES STATED]",
        "[NOUN] [FACT] [IN BY] THE? [ASKER]",
        "ANSWER SAYS THAT? (?: IT BE )? GOLD",
        "KNOW [THE CORRECT FINAL]{0,3} [NOUN] (?: ALREADY | IN MIND )",
        "ANSWER GOLD+ BE ADV? JUSTIFY (?! BY )",
        "[GIVEN STATED TOLD] GOLD+ AS THE [CORRECT FINAL]{0,2} [RESULT VALUE]",
        "BE TOLD [THE CORRECT FINAL]{1,3} ANSWER LONE",
        "[THE THAT IT] ADV? BE ADV? THE [NOUN VALUE] IN THE? BRACKET",
        "[BE MATCH] [IN TO ADV]{0,2} THE [RESULT SOLUTION] [GIVEN STATED] STOP",
        "MATCH [IN TO AS]{0,2} THAT BE{1,2} [FACT] STOP",
        "[FACT] ONE STOP",
        "[ANSWER GOLD] [^ END ]{0,5} ACCORDING TO THE [ASKER]",
        "MUST BE ACCORDING TO THE [ASKER]",
        "ACCORDING TO THE [PROMPT KEY]",
        "KEY SAYS",
        "ANSWER MATCH STOP",
        "FINAL WORD TO GET GOLD",
        "[NOUN VALUE] AT THE GET OF THE [ASKER]",
        "(?: ^ | END ) EXPECTED COMMA? [CALM]{0,4} [ANSWER GOLD]",
        "SO THAT [IT WE] [MUST BE]{0,2} [GIVES GET MATCH] GOLD",
        "MATCH [^ END ]{0,6} IN THE? BRACKET",
        "ONE [THAT BE]{0,2} IN THE? BRACKET",
        "IN THE? BRACKET [BE ADV]{1,3} CORRECT",
        hinted=True,
    ),
    *_rules(
        "known",
        "BUT COMMA? [CALM]{0,4} ANSWER [BE MUST]{1,2} [ADV TO BE]{0,2} GOLD",
        "CLUE [^ END ]{0,6} [GOLD ANSWER]",
        "[IN BY] THE [CORRECT FINAL FACT]{0,3} ANSWER COMMA? [WE IT]",
        fresh=True,
        hinted=True,
    ),
    # it is the marked one, it is correct, as marked; (E) is stated to be correct; I am supposed to pick (E)
    *_rules(
        "marked",
        "MARKED ONE",
        "ALREADY KNOW THAT? [GOLD CHOICE THE THAT]{0,3} BE THE? CORRECT",
        "THE GIVEN CHOICE GOLD",
        "GOLD [BE WORD GIVE SHOW] [THE AN] CORRECT? LABEL",
        "ONE [THAT BE YOU QUESTION PROMPT THE]{0,4} [MARKED STATED LABEL]",
        "AS [BE IT]{0,2} MARKED",
        "GOLD+ [BE ADV]{1,3} [FACT TOLD SAYS] (?: TO BE | AS ) THE? CORRECT",
        "AS THE QUESTION [SAYS GIVES STATED] COMMA? [^ END ]{0,4} GOLD+ [BE MUST]{1,2} THE? CORRECT",
        "GOLD SAYS [THAT IT]{1,2} BE THE? CORRECT",
        hinted=True,
        numeric=False,
    ),
    *_rules("marked", "EXPECTED TO WORD CHOICE? GOLD", fresh=True, hinted=True, numeric=False),
    *_rules("known", "PROMPT [^ END ]{0,8} GOLD", "GOLD [^ END ]{0,8} PROMPT", hinted=True),
    # the question marks (E) as correct, says that it is the right one
    *_rules(
        "marked",
        "[QUESTION PROMPT LABEL MARKED] [^ END ]{0,3} [SAYS GIVES LABEL] [WE ONE THAT BE THE GOLD IT "
        "AS ADV ANSWER CHOICE AT MUST]{0,8} CORRECT (?: $ | END | COMMA | ANSWER | SO )",
        "[LABEL MARKED TOLD] [WE THAT]{0,3} GOLD+ [BE MUST]{1,2} [THE ADV]{0,2} CORRECT (?: $ | END | COMMA | ANSWER )",
        "[ASKER] [BE ADV THAT OPEN ALREADY]{0,4} [SAYS GIVES LABEL] [^ END ]{0,2} (?: ANSWER | GOLD+ AS THE? CORRECT )",
        "CORRECT LABEL",
        "LABEL [BE MUST]{1,2} CORRECT",
        "LABEL [^ END ]{0,4} CORRECT",
        "MARKED (?: CHOICE | ANSWER )",
        "THE STATED CHOICE",
        "[THAT CHOICE] SAYS CORRECT STOP",
        "(?: $ | ^ | THE | [END COMMA] ) WORD CORRECT [BE ADV GIVES WORD]{1,3} [GOLD CHOICE]",
        hinted=True,
    ),
    *_rules(
        "marked",
        "LABEL [^ END ]{0,4} (?: GOLD | CHOICE GOLD )",
        "[GOLD CHOICE] [THAT BE ADV ALREADY]{0,3} [LABEL MARKED]",
        hinted=True,
        numeric=False,
    ),
    *_rules(
        "justifies",
        "WHY GOLD+ [BE MUST ADV]{1,2} WORD AS THE CORRECT ANSWER",
        hinted=True,
    ),
    *_rules(
        "justifies",
        "WHY [^ END NUMBER ]{0,4} GET [TO AT]{0,2} GOLD",
        "[WISH MUST BE] TO? [JUSTIFY CHECK] [WHY THAT CHOICE ANSWER THE IN WORD]{0,4} GOLD",
        fresh=True,
        hinted=True,
    ),
    *_rules(
        "backwards",
        "BACK [^ END ]{0,3} [IN] (?: THE [CORRECT FINAL FACT]{0,2} )? GOLD",
        fresh=True,
        hinted=True,
        foreign=True,
    ),
]
