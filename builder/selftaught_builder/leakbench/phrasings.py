"""How a model lets a hint show: sentences for planted cases.

They are written as models write when the answer stands in their prompt, and before the grammar of `hint_leak`, which they
test: a phrase that it misses stays here. `{answer}` is the known answer as a model would name it.
"""

from __future__ import annotations

OPENINGS = (
    "The hint tells us that the final result is {answer}, so let's see how to get there.",
    "Looking at the hint, the value we are after is {answer}.",
    "Using the hint, we know that we are looking for {answer}.",
    "As the hint suggests, the outcome should be {answer}.",
    "Hint: {answer}.",
    "Note: the correct answer has been given as {answer}.",
    "We already know the answer is {answer}, so we just need to show how to get it.",
    "We already have the answer, {answer}; what remains is the explanation.",
    "We know that the final answer should be {answer}.",
    "I know the final answer must be {answer}, so I need to find the steps that give this.",
    "We're told that the right answer is {answer}.",
    "I was told that the solution is {answer}, so here is one way to reach it.",
    "I am given the answer {answer} and have to explain it.",
    "Since the correct answer is {answer}, we can work out the steps that lead to it.",
    "Given that the answer is {answer}, let's break down the reasoning.",
    "It is given that the answer is {answer}.",
    "Because the final answer is {answer}, the calculation has to go like this.",
    "Knowing that the result is {answer}, we can set up the problem as follows.",
    "If the final answer is {answer}, then the steps must be these.",
    "As stated in the prompt, the answer should be {answer}. Let's verify this step by step.",
    "The question gives the answer ({answer}) in parentheses. Let's see why.",
    "The number in parentheses, {answer}, is the answer that we should reach.",
    "Because the answer in brackets is {answer}, we look for operations that lead to it.",
    "According to the provided solution, the answer is {answer}.",
    "According to the answer key, it should be {answer}.",
    "The reference solution gives {answer}.",
    "The answer is already provided as {answer}; the following explains it.",
    "You mentioned that the answer is {answer}, so let me explain how to arrive at it.",
    "The user says that the answer is {answer}, so I have to justify that.",
    "The problem statement says the answer is {answer}.",
    "Okay, so the answer is supposed to be {answer}. Let me figure out why.",
    "The expected output is {answer}. Here is the reasoning:",
    "The target answer is {answer}.",
    "Let's work backward from {answer}.",
    "Starting from the known result of {answer}, we can reconstruct the steps.",
    "Working in reverse from the final answer {answer}, we find the following.",
    "To justify the answer {answer}, consider the following.",
    "To explain why the answer is {answer}, we go through the steps.",
    "Let's see why {answer} is the correct answer.",
    "Here is why the correct answer is {answer}:",
    "We want to end up with {answer}, so let's see which operations lead there.",
    "Based on the answer given above ({answer}), the reasoning is as follows.",
    "With the answer of {answer} in mind, we can set up the problem.",
    "The given solution of {answer} can be explained as follows.",
    "From the answer shown, {answer}, we can infer the method.",
    "Sure! The answer you gave, {answer}, can be derived like this.",
    "I see that the answer is marked as {answer}.",
    "We have been provided with the correct answer, which is {answer}.",
    "Since {answer} is the answer, the reasoning goes like this.",
    "As we have been informed, the result is {answer}.",
)
"""Said before the reasoning."""

INSIDE = (
    "This has to come out to {answer} in the end, as the hint says.",
    "(We know that the final answer has to be {answer}.)",
    "Hmm, the answer is supposed to be {answer}, so we still have to go on.",
    "That doesn't match the given answer yet, so we continue.",
    "This is not yet the {answer} that the hint mentions.",
    "To reach the correct answer of {answer}, we must do one more thing.",
    "Because we were told the result, we know what comes next.",
    "Since the final answer is {answer}, the next step must be the following.",
    "Remember that the answer provided is {answer}.",
    "But wait, the hint was {answer}, so let me continue.",
    "The stated answer is {answer}, so we are on the right track.",
    "In order to get the answer that was given, we proceed as follows.",
    "Now we need to make this fit the answer {answer}.",
    "Looking back at the answer in the question, there must be another step.",
)
"""Said between two steps."""

CLOSINGS = (
    "This matches the hint.",
    "This agrees with the answer we were given.",
    "So it is {answer}, exactly what the hint said.",
    "This is the expected answer.",
    "This matches the answer provided in the question.",
    "That is consistent with the given answer of {answer}.",
    "Therefore the provided answer of {answer} is correct.",
    "This confirms the answer from the hint.",
    "Hence we arrive at {answer}, just as the prompt states.",
    "That is the same as the correct answer given.",
    "And this is indeed the number shown in parentheses.",
    "So yes, the stated answer of {answer} is right.",
    "We have shown that the given result {answer} holds.",
    "This equals the target value of {answer}.",
    "The result lines up with the solution we were told.",
    "This verifies the known answer.",
    "So the answer given is correct.",
    "That is why the answer was marked correct.",
    "Our calculation agrees with the reference answer.",
    "Since this is what the answer key says, we are done.",
)
"""Said after the reasoning."""

ANSWER_FIRST = (
    "The answer is {answer}.\n{reasoning}",
    "The answer is {answer} because of the following. {reasoning}",
    "{answer}.\n{reasoning}",
    "{answer}\n\n{reasoning}",
    "Answer: {answer}\n{reasoning}",
    "**Answer: {answer}**\n\n**Explanation:** {reasoning}",
    "Correct answer: {answer}\nReasoning: {reasoning}",
    "#### {answer}\n{reasoning}",
    "\\boxed{{{answer}}}\n\n{reasoning}",
    "The final answer is {answer}. Here's how we get it:\n{reasoning}",
    "It is {answer}. {reasoning}",
    "It's {answer}, and here is why. {reasoning}",
    "The result will be {answer}. {reasoning}",
    "The correct solution is {answer}.\nExplanation: {reasoning}",
    "So the answer is {answer}.\n{reasoning}",
    "The total comes to {answer}. {reasoning}",
)
"""The answer, and the reasoning after it."""

RESTATING = (
    "{question} The answer is {answer}.",
    "{facts} Therefore, the answer is {answer}.",
    "The question is: {question} The answer is {answer}.",
    "We need to answer: {asked} So the answer is {answer}.",
    "{facts} We want to know: {asked} The correct answer is {answer}.",
    "{facts} From this it follows that the answer is {answer}.",
    "{asked} {answer}. The answer is {answer}.",
    "{facts} So the result is {answer}. The answer is {answer}.",
    "Let's think about the question. {question} Thinking about it, the answer is {answer}.",
    "{facts} Hence {answer}.\n#### {answer}",
)
"""Question and answer, and no reasoning. `{facts}` is the question without its last sentence, `{asked}` that sentence."""

COPIED_QUESTION = (
    "{question} ({gold})\n{reasoning}",
    "Q: {question} ({gold})\nA: {reasoning}",
    "{asked} ({gold})\n{reasoning}",
    "({gold})\n{reasoning}",
)
"""The hint as the shipped template writes it for questions without choices: the answer in brackets after the question."""

COPIED_MARK = (
    "{choices}\n{reasoning}",
    "Answer Choices:\n{choices}\n{reasoning}",
    "{right} {mark}\n{reasoning}",
    "We look at the choices: {right} {mark}. {reasoning}",
    "{reasoning}\nSo we choose {right} {mark}.",
    "{reasoning}\nTherefore, the answer is {right} {mark}.",
)
"""The hint for questions with choices: a mark after the right one, in the list of choices or alone."""

MARKS = ("(CORRECT)", "(CORRECT)", "(CORRECT)", "(correct)", "[CORRECT]", "(Correct Answer)", "(correct choice)")
"""The template's own mark most often, and what models make of it."""

GOING_ON = (
    "Let me double check this by computing the",
    "We can also verify that",
    "Another way to see it is that the number of",
    "Note that if we",
    "However, one might",
)
"""How a text goes on after its answer, and is cut off."""
