"""What all requests share: tables, log, galleries with the one model, limits. Made once, handed to the application."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import TypeVar

from argon2 import PasswordHasher

from indexer import Store
from pipelines.casework.labels.check import Checked
from pipelines.enrol.index import model_of
from pipelines.search.gallery import Gallery
from tgfr_search.app.service.accounts import Account, Accounts
from tgfr_search.app.service.buckets import Buckets
from tgfr_search.app.service.casebook import Casebook
from tgfr_search.app.service.database import Database
from tgfr_search.app.service.drafts import Drafts
from tgfr_search.app.service.jobs import Jobs
from tgfr_search.app.service.metrics import Metrics
from tgfr_search.app.service.passes import SharedPasses
from tgfr_search.app.service.pictures import Places
from tgfr_search.app.service.problems import Problem
from tgfr_search.app.service.sessions import Sessions
from tgfr_search.app.service.settings import Settings
from tgfr_search.audit.entries import Act, Entry
from tgfr_search.audit.journal import LogJournal
from tgfr_search.audit.verify import KEY, check_log
from tgfr_search.errors import InputError
from tgfr_search.model.checkpoint import load_model
from tgfr_search.model.loaded import FaceTextModel

AUDIT = "audit"
SETUP_TRIES = 5
T = TypeVar("T")


@dataclass
class Hub:
    """What all requests share.

    Attributes:
        settings: How the service runs.
        database: Its own tables.
        accounts: Who may come in.
        sessions: Who is in.
        journal: The log of all that belongs to no case, without an actor.
        galleries: Name → gallery; the first is the one that is meant where none is named.
        logins: How fast passwords may be tried.
        searches: How fast an account may search.
        encoding: The threads that find and encode faces; see `encode`.
        passes: Encodes for searches that belong to no case, several as one batch. One of a case goes through the
            networks alone: it must replay to the same scores, whoever searched beside it.
        metrics: What is counted.
        cases: The cases.
        jobs: Enrolments.
        drafts: Marks that are not locked yet.
        places: Where the faces of probes lie.
        labels: Name of a gallery → its generation, and what looked wrong about its labels then.
        damage: Why nothing is answered that would have to be logged; empty where the log is whole.
        process: Tells this process from an earlier one.
    """

    settings: Settings
    database: Database
    accounts: Accounts
    sessions: Sessions
    journal: LogJournal
    galleries: dict[str, Gallery]
    logins: Buckets
    searches: Buckets
    encoding: ThreadPoolExecutor
    passes: SharedPasses
    metrics: Metrics
    cases: Casebook
    jobs: Jobs
    drafts: Drafts
    places: Places = field(default_factory=Places)
    labels: dict[str, tuple[int, Checked]] = field(default_factory=dict)
    damage: str = ""
    process: str = field(default_factory=lambda: secrets.token_hex(8))
    _setup: str = ""
    _tries: int = 0
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    def open(
        cls,
        settings: Settings,
        indexes: Sequence[Path],
        *,
        model: str | Path | FaceTextModel | None = None,
        device: str = "auto",
        hasher: PasswordHasher | None = None,
    ) -> Hub:
        """Opens the service's folder and its galleries.

        Args:
            settings: How the service runs.
            indexes: Index folders, known by their names; one model serves them all.
            model: What made them; None is the shipped one that made the first, else the default.
            device: Where probes are encoded.
            hasher: Of passwords.

        Raises:
            InputError: Two indexes have one name, or the folder cannot be used.
            IndexerError: An index cannot be opened, or another model made it.
        """
        names = [path.resolve().name for path in indexes]
        if not names or len(set(names)) != len(names):
            raise InputError("INDEX", found=", ".join(names) or "none", expected="one or more folders of unlike names")
        stores = [Store.open(path) for path in indexes]  # a wrong path is told before seconds go into the model
        own = model_of(stores[0])
        loaded = model if isinstance(model, FaceTextModel) else load_model(model or own, device=device)
        loaded.ready()
        galleries = {
            name: Gallery.open(path, model=loaded, device=device) for name, path in zip(names, indexes, strict=True)
        }
        database = Database(settings.data)
        accounts, limits = Accounts(database, hasher), settings.limits
        log = settings.data / AUDIT
        problems = check_log(log).problems if (log / KEY).exists() else []
        return cls(
            settings,
            database,
            accounts,
            Sessions(database, accounts, limits),
            replace(LogJournal.without_case(log), actor=""),
            galleries,
            Buckets(limits.logins, limits.logins_a_minute),
            Buckets(limits.searches, limits.searches_a_minute),
            ThreadPoolExecutor(limits.encoders, "encoder"),
            SharedPasses(loaded.face_encoder),
            Metrics(),
            Casebook(settings.data, settings.lab),
            Jobs(database, settings.data),
            Drafts(database),
            damage=problems[0] if problems else "",
        )

    def journal_of(self, account: Account, *, purpose: str = "", basis: str = "") -> LogJournal:
        """Where acts of an account that belong to no case are told."""
        self.need_log()
        return replace(self.journal, actor=account.name, role=account.role.value, purpose=purpose, basis=basis)

    def tell(self, act: Act, account: Account | None = None, **details: str | int | bool) -> None:
        """Tells an act to the log; what cannot be told is not answered.

        Raises:
            AuditError: The log refuses.
        """
        self.need_log()
        journal = self.journal if account is None else self.journal_of(account)
        journal.record(Entry(act, details=details))

    def need_log(self) -> None:
        """Refuses where the log did not verify: the service then only shows what there is.

        Raises:
            Problem: It did not.
        """
        if self.damage:
            raise Problem(
                503, "log_damaged", f"the log does not verify: {self.damage}", "tgfr-search audit verify; keep it"
            )

    def encode(self, work: Callable[[], T]) -> T:
        """What finds or encodes faces, in one of the few threads that do; waits for its turn.

        The allocator keeps for every thread what that thread once needed, and a detector needs much: in the threads of
        requests, forty of them, the service would grow with the number of people who ever searched at once.
        """
        return self.encoding.submit(work).result()

    def gallery(self, name: str = "") -> tuple[str, Gallery]:
        """A gallery and its name, at its newest state; the first where none is named.

        Raises:
            Problem: There is none of that name.
        """
        name = name or next(iter(self.galleries))
        if name not in self.galleries:
            raise Problem(404, "no_such_index", f"found: {name}; expected: one of {', '.join(self.galleries)}")
        gallery = self.galleries[name]
        if isinstance(gallery.store, Store):
            gallery.store.refresh()
        return name, gallery

    @staticmethod
    def store(gallery: Gallery) -> Store:
        """The index of a gallery on this machine, opened to be changed.

        Raises:
            Problem: It is a collection elsewhere.
        """
        if not isinstance(gallery.store, Store):
            raise Problem(501, "not_here", "the gallery is a collection of a cluster; it is kept there")
        return Store.open(gallery.store.path)

    def setup_code(self) -> str:
        """A new one-time code with which the first admin is made; empty once there is an account."""
        if self.accounts.all():
            return ""
        code = "-".join(secrets.token_hex(2) for _ in range(4))
        self._setup, self._tries = hashlib.sha256(code.encode()).hexdigest(), 0
        return code

    def set_up(self, code: str, name: str, password: str) -> Account:
        """Makes the first admin.

        Raises:
            Problem: The code is not the one on the terminal, or was used, or tried too often.
            InputError: Name or password cannot be one.
        """
        with self._lock:
            given = hashlib.sha256(code.strip().lower().encode()).hexdigest()
            self._tries += 1
            fits = bool(self._setup) and self._tries <= SETUP_TRIES and hmac.compare_digest(given, self._setup)
            if not fits or self.accounts.all():
                raise Problem(
                    403, "wrong_code", "not the code of this start", "read it where the service was started, or restart"
                )
            account = self.accounts.add(name, "admin", password)
            self._setup = ""
        self.tell(Act.ACCOUNT, account, change="first admin", name=account.name)
        return account
