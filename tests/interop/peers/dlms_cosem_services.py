"""Drives the GET with a list of dlms-cosem 25.1.0; see `services`.

It proposes general block transfer and ACCESS too, and has neither.
"""

import importlib.metadata

import harness
import running
import services
from dlms_cosem import cosem, enumerations
from dlms_cosem_client import DlmsCosemDriver


class DlmsCosemServices(DlmsCosemDriver):
    """DlmsClient, asked for several attributes at once."""

    def read_many(self, members):
        """GET with-list: values, or the numbers of what was wrong."""
        wanted = [cosem.CosemAttributeWithSelection(self._attribute(*one), None) for one in members]
        response = self._ask(self._client.get_many, wanted)
        return [self._shown(one) for one in response.response_data]

    @staticmethod
    def _shown(one):
        if isinstance(one, enumerations.DataAccessResult):
            return int(one)
        return harness.jsonable(one.to_python())


if __name__ == "__main__":
    services.register()
    running.run(DlmsCosemServices, importlib.metadata.version("dlms-cosem"))
