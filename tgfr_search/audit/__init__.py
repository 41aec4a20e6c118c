"""An append-only log of every act, in a form that a stranger can verify without this program.

An entry is on the disk before the answer leaves; no entry, no answer. Entries are RFC 8785 JSON, leaves of an RFC 9162
Merkle tree whose head is signed after each (Ed25519, C2SP signed notes). The log keeps commitments, not names: what
would say who somebody is stands in it only as HMAC-SHA-256 under a key that can be destroyed.

A log alone proves little: who has the folder has its signing key, and can write another one. A checkpoint kept
elsewhere is what shows that nothing before it was changed.
"""
