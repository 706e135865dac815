"""The master key, from a file, the environment or the desktop's keyring.

It is 32 octets, written as 64 hexadecimal digits. Where it is looked for, in this order:

| where | what is there |
|---|---|
| ``PREPAY_MASTER_KEY`` | the key itself |
| ``PREPAY_MASTER_KEY_FILE`` | the path of a file that its owner alone may read |
| the keyring | service "openprepay", user "master-key"; needs the package ``keyring`` |

There may be several, each on a line of its own: the first wraps, all of them open. That is how a
master key is changed with the head-end at work: the new one is put before the old one, ``prepay
keys rewrap`` wraps everything under the first, and then the old one is taken out.
"""

import hashlib
import hmac
import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from headend.errors import UsageError
from obis.values import hiding

KEY_VARIABLE: Final = "PREPAY_MASTER_KEY"
FILE_VARIABLE: Final = "PREPAY_MASTER_KEY_FILE"
SERVICE, USER = "openprepay", "master-key"
LENGTH: Final = 32
#: More old keys than anybody keeps; a file that is longer is another one.
_MOST: Final = 16
_LARGEST_FILE: Final = 4096


class MasterKey(Struct, frozen=True):
    """What the keys in the database are wrapped under.

    Args:
        octets: 32 of them.
    """

    octets: bytes

    __repr__ = hiding("octets")

    @property
    def fingerprint(self) -> str:
        """By what the database knows it: 16 hexadecimal digits, of no use for finding it."""
        return hashlib.sha256(b"OpenPrepay master key" + self.octets).hexdigest()[:16]

    def mark(self, key: bytes) -> str:
        """Return a mark of a key by which people can tell keys apart, and find none.

        It is keyed: a bare digest of a password gives the password away.
        """
        own = hmac.digest(self.octets, b"OpenPrepay marks", "sha256")
        return hmac.new(own, key, hashlib.sha256).hexdigest()[:12]


class Masters(Struct, frozen=True):
    """The master keys at hand.

    Args:
        keys: at least one; the first wraps.
        source: where they came from, for people.
    """

    keys: tuple[MasterKey, ...]
    source: str

    @property
    def first(self) -> MasterKey:
        """The one that wraps."""
        return self.keys[0]

    def by_fingerprint(self, fingerprint: str) -> MasterKey | None:
        """Return the one of a fingerprint."""
        return next((key for key in self.keys if key.fingerprint == fingerprint), None)


def new_master(entropy: Callable[[int], bytes]) -> MasterKey:
    """Return a master key that nobody had before."""
    return MasterKey(entropy(LENGTH))


def parse(text: str, source: str) -> Masters:
    """Return the master keys that a text has: one a line, ``#`` begins a remark.

    Args:
        text: see above.
        source: for messages.

    Raises:
        UsageError: there is none, or something else; the message shows nothing of it.
    """
    words = [word for line in text.splitlines() for word in line.partition("#")[0].split()]
    if not words:
        raise UsageError(f"{source}: it has no master key")
    if len(words) > _MOST:
        raise UsageError(f"{source}: more than {_MOST} master keys")
    found = [_key(word) for word in words]
    if None in found:
        raise UsageError(f"{source}: a master key is {2 * LENGTH} hexadecimal digits")
    keys = tuple(dict.fromkeys(key for key in found if key is not None))
    return Masters(keys, source)


def _key(word: str) -> MasterKey | None:
    with suppress(ValueError):
        octets = bytes.fromhex(word)
        return MasterKey(octets) if len(octets) == LENGTH else None
    return None


def text_of(keys: tuple[MasterKey, ...]) -> str:
    """Return what ``parse`` reads."""
    return "".join(f"{key.octets.hex().upper()}\n" for key in keys)


def find(environment: Mapping[str, str]) -> Masters:
    """Return the master keys of the place that is looked at first and has some.

    Raises:
        UsageError: there is none, or it cannot be used.
    """
    if text := environment.get(KEY_VARIABLE):
        return parse(text, KEY_VARIABLE)
    if name := environment.get(FILE_VARIABLE):
        return from_file(Path(name))
    found = from_keyring()
    if found is None:
        raise UsageError(
            "the vault needs its master key: give PREPAY_MASTER_KEY_FILE, PREPAY_MASTER_KEY, or "
            "have one in the keyring; prepay keys master new makes one"
        )
    return found


# --- files ---------------------------------------------------------------------------------------


def from_file(path: Path) -> Masters:
    """Return the master keys of a file.

    Raises:
        UsageError: it cannot be read, is no file, others than its owner may read it, or what is in
            it is no master key.
    """
    where = f"master key file {path}"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would keep us waiting
        with open(descriptor, "rb") as file:
            _check_private(os.fstat(descriptor), where)
            octets = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(f"{where}: {error.strerror}") from error
    if len(octets) > _LARGEST_FILE:
        raise UsageError(f"{where}: it is too long for one")
    try:
        return parse(octets.decode("ascii"), where)
    except UnicodeDecodeError as error:
        raise UsageError(f"{where}: not a text file") from error


def _check_private(found: os.stat_result, where: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"{where}: it is no file")
    if found.st_uid not in (os.geteuid(), 0):
        raise UsageError(f"{where}: it is somebody else's file")
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise UsageError(f"{where}: others may read it (mode {mode:04o}); chmod 600 keeps it yours")


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read, and that was not there before.

    Raises:
        UsageError: it is there, or cannot be written; then nothing of it is left.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise UsageError(f"{path} is there already: nothing was written") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        _keep_name(path)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise UsageError(f"{path}: {error.strerror}") from error


def _keep_name(path: Path) -> None:
    """Make sure that a file is still found under its name after a power cut."""
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_before(path: Path, key: MasterKey) -> Masters:
    """Put a master key before those that a file has, in one step.

    Raises:
        UsageError: it has none, or cannot be written; then it is as it was.
    """
    known = from_file(path)
    keys = (key, *known.keys)
    beside = path.with_name(f"{path.name}.new")
    write_private(beside, text_of(keys))
    try:
        beside.replace(path)
        _keep_name(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(f"{path}: {error.strerror}") from error
    return Masters(keys, known.source)


# --- the desktop's keyring -----------------------------------------------------------------------


def from_keyring() -> Masters | None:
    """Return the master keys of the keyring; None where it has none, or there is no keyring.

    Raises:
        UsageError: it refuses, or has something else there.
    """
    try:
        import keyring  # optional, and it takes time
        from keyring.errors import KeyringError, NoKeyringError
    except ModuleNotFoundError:
        return None
    try:
        text = keyring.get_password(SERVICE, USER)
    except NoKeyringError:
        return None
    except KeyringError as error:
        raise UsageError(f"the keyring refuses: {error}") from error
    return None if text is None else parse(text, "the keyring")


def into_keyring(keys: tuple[MasterKey, ...]) -> None:
    """Put master keys into the keyring, in the place of those that it has.

    Raises:
        UsageError: there is no keyring, or it refuses.
    """
    try:
        import keyring  # as above
        from keyring.errors import KeyringError
    except ModuleNotFoundError as error:
        raise UsageError("no keyring: it needs the package keyring") from error
    try:
        keyring.set_password(SERVICE, USER, text_of(keys))
    except KeyringError as error:
        raise UsageError(f"the keyring refuses: {error}") from error
