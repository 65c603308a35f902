# SPDX-License-Identifier: MIT
"""Delta debugging: the shortest list of operations found that still goes wrong."""
import re
import time


def kind(wrong):
    """Of what sort it is: the words without numbers, names and texts."""
    lines = wrong.strip().split('; its log')[0].splitlines()
    return re.sub(r'\d+|b?\'.*?\'|".*?"', '', lines[-1] if 'Traceback' in wrong else lines[0])[:24]


class Shrinker:
    def __init__(self, attempt, seconds):
        self.attempt, self.until = attempt, time.monotonic() + seconds
        self.why = self.kind = None

    def fails(self, operations):
        """Whether it goes wrong in the same way; also what chance decides has three tries."""
        for _ in range(2 if self.kind is None else 1):
            wrong = self.attempt(operations)
            if wrong and (self.kind is None or kind(wrong) == self.kind):
                self.why, self.kind = wrong, kind(wrong)
                return True
        return False

    def late(self):
        return time.monotonic() > self.until

    def tail(self, operations):
        """Of many, the last are often enough: what is there at a time is not much."""
        size = 100
        while size < len(operations) and not self.late():
            if self.fails(operations[-size:]):
                return operations[-size:]
            size *= 3
        return operations

    def drop(self, operations):
        """Leaves out ever smaller parts."""
        size = max(1, len(operations) // 2)
        while not self.late():
            at, shorter = 0, False
            while at < len(operations) and not self.late():
                trial = operations[:at] + operations[at + size:]
                if self.fails(trial):
                    operations, shorter = trial, True
                else:
                    at += size
            if size == 1 and not shorter:
                break
            size = max(1, size // 2)
        return operations

    def merge(self, operations):
        """Then as few clients as will do."""
        for number in sorted({operation[0] for operation in operations}, reverse=True):
            for other in range(number):
                trial = [[other if operation[0] == number else operation[0], *operation[1:]]
                         for operation in operations]
                if not self.late() and self.fails(trial):
                    operations = trial
                    break
        return operations


def shrink(operations, attempt, seconds):
    """(operations, why), or (None, None) where it does not happen again."""
    shrinker = Shrinker(attempt, seconds)
    if not shrinker.fails(operations):
        return None, None
    operations = shrinker.merge(shrinker.drop(shrinker.tail(operations)))
    return operations, shrinker.why
