"""The one worker that carries out jobs, one after another, beside the searches."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import TYPE_CHECKING

from indexer.errors import IndexerError, IndexLockedError
from pipelines.enrol.rows.add import add_photos
from pipelines.search.watch.match import Watching
from tgfr_search.app.service.job import Job, State
from tgfr_search.app.service.problems import Problem, problem_of
from tgfr_search.errors import TgfrError

if TYPE_CHECKING:
    from tgfr_search.app.service.hub import Hub

LOOKS_EVERY_S = 2.0
log = logging.getLogger("tgfr_search.service")


@dataclass
class Enroller:
    """Carries out jobs.

    Attributes:
        hub: What all requests share.
    """

    hub: Hub
    _ended: Event = field(default_factory=Event)
    _thread: Thread | None = None

    def start(self) -> None:
        """Begins to work in a thread of its own; a killed service's jobs go on first."""
        self._thread = Thread(target=self._work, name="enroller", daemon=True)
        self._thread.start()

    def stop(self, wait_s: float = 30.0) -> None:
        """Ends after the photos at work; what is left goes on at the next start."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(wait_s)

    def run_waiting(self) -> int:
        """Carries out what waits now, in this thread; returns how many jobs."""
        count = 0
        while not self._ended.is_set() and (job := self.hub.jobs.next()) is not None:
            count += 1
            if not self._carry_out(job):
                break
        return count

    def _work(self) -> None:
        while not self._ended.is_set():
            try:
                self.run_waiting()
            except Exception:  # the disk of the tables may be full for a while: what waits must not wait for ever
                log.exception("the enroller")
            self._ended.wait(LOOKS_EVERY_S)

    def _carry_out(self, job: Job) -> bool:
        """One job; False where the index is written by somebody else, and it has to wait."""
        hub, jobs = self.hub, self.hub.jobs
        try:
            account = hub.accounts.get(job.account)
            if account is None:
                raise Problem(409, "no_account", f"found no account {job.account} any more")
            _, gallery = hub.gallery(job.gallery)
            journal = hub.journal_of(account)
            add_photos(
                hub.store(gallery).path,
                jobs.records(job),
                gallery.model,
                finder=gallery.finder,
                told=lambda told: jobs.note(job, told),
                stop=lambda: self._ended.is_set() or not jobs.is_running(job),
                again=job.again,
                journal=journal,
                committed=Watching(gallery.model, journal),
            )
        except IndexLockedError as error:
            jobs.end(job, State.WAITING, "index_locked", problem_of(error, hub.settings.data.resolve()).detail)
            return False
        except (TgfrError, IndexerError) as error:
            problem = problem_of(error, hub.settings.data.resolve())
            jobs.end(job, State.FAILED, problem.code, problem.detail)
        except Problem as problem:
            jobs.end(job, State.FAILED, problem.code, problem.detail)
        except Exception:
            log.exception("job %s", job.id)
            jobs.end(job, State.FAILED, "unforeseen", "an error of the program")
        else:
            left = jobs.get(job.id).counts.get("waiting", 0)
            jobs.end(job, State.WAITING if left else State.DONE)
            return not left
        return True
