"""Asks once, however many want to know: a memory of answers and of errors, with one lock per question.

No task of its own: the first to ask does the work under the lock, and when it is cancelled the next one takes over.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from mtts.core.errors import MttsError

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")


class Once(Generic[Question, Answer]):
    """Answers to questions that are worth asking a single time."""

    def __init__(self) -> None:
        self._answers: dict[Question, Answer | MttsError] = {}
        self._locks: defaultdict[Question, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def ask(self, question: Question, find: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer that `find` gave when first asked, or the error that it ended with."""
        async with self._locks[question]:
            if question not in self._answers:
                try:
                    self._answers[question] = await find()
                except MttsError as error:
                    self._answers[question] = error
        answer = self._answers[question]
        if isinstance(answer, MttsError):
            raise answer.with_traceback(None)  # or it would grow with every asker
        return answer

    def known(self, question: Question) -> Answer | None:
        """The answer that is there already; None while there is none, and where it is an error."""
        answer = self._answers.get(question)
        return None if isinstance(answer, MttsError) else answer
