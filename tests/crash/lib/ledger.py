"""What the server has said about every object, so that it can be held to it.

An object is in one of these states:
  SENT     was sent, nothing was heard: it may be there, but then it is whole
  STORED   acknowledged: it must be there, bit for bit
  ENDING   its study was to be deleted, nothing was heard: the study is there or gone, as a whole
  GONE     deleted, and that was acknowledged: it must not be there
"""
import threading

import objects

SENT, STORED, ENDING, GONE = "sent", "stored", "ending", "gone"


class Broken(Exception):
    """The server has not kept its word."""


class Ledger:
    def __init__(self):
        self.lock, self.state, self.acknowledged, self.deleted = threading.Lock(), {}, 0, 0
        self.order, self.known = [], set() # studies, as they came

    def sending(self, *numbers):
        with self.lock:
            for n in numbers:
                if self.state.get(n) != STORED: # sent again: what was said before still holds
                    self.state[n] = SENT
                study = n // objects.PER_STUDY
                if study not in self.known:
                    self.known.add(study)
                    self.order.append(study)

    def stored(self, *numbers):
        with self.lock:
            self.state.update(dict.fromkeys(numbers, STORED))
            self.acknowledged += len(numbers)

    def ending(self, study):
        with self.lock:
            for n in objects.numbers(study):
                if self.state.get(n, GONE) != GONE:
                    self.state[n] = ENDING

    def gone(self, study):
        with self.lock:
            for n in objects.numbers(study):
                if n in self.state:
                    self.state[n] = GONE
                    self.deleted += 1

    def kept(self, study):
        """A deletion was refused: all of it is there as before."""
        with self.lock:
            for n in objects.numbers(study):
                if self.state.get(n) == ENDING:
                    self.state[n] = STORED

    def states(self, study):
        with self.lock:
            return {n: self.state[n] for n in objects.numbers(study) if n in self.state}

    def studies(self, since=0):
        """In the order in which they came, but the first so many."""
        with self.lock:
            return self.order[since:]

    def check(self, study, found):
        """found: {number: data set} as the server gives the study out. Returns the objects checked."""
        states = self.states(study)
        for n, data in found.items():
            if n not in states:
                raise Broken("object %d is there and was never sent" % n)
            if states[n] == GONE:
                raise Broken("object %d was deleted and is there" % n)
            if data != objects.dataset(n):
                raise Broken("object %d (%s) is not what was sent" % (n, states[n]))
        lost = [n for n, state in states.items() if state == STORED and n not in found]
        if lost:
            raise Broken("acknowledged and lost: %s of study %d" % (lost, study))
        ending = [n for n, state in states.items() if state == ENDING]
        if len({n in found for n in ending}) > 1:
            raise Broken("study %d was deleted in part: %s of %s are there" % (study, sorted(found), ending))
        return len(found)

    def settle(self, study, found):
        """A deletion whose end was not heard is over now, one way or the other."""
        with self.lock:
            for n in objects.numbers(study):
                if self.state.get(n) == ENDING:
                    self.state[n] = STORED if n in found else GONE
