"""A thin client of the service, of the standard library alone.

>>> from tgfr_search.client import Client
>>> service = Client("https://faces.example:8443", token=open("token").read())
>>> service.search(photo=Path("probe.jpg"), purpose="fraud", basis="§ 98c StPO")["candidates"][0]["subject_id"]
"""

from tgfr_search.client.client import Client as Client
from tgfr_search.client.wire import ServiceError as ServiceError

__all__ = ["Client", "ServiceError"]
