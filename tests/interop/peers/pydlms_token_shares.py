"""Drives token_gateway_configuration by pydlms-client 0.1.0; see `token_shares`."""

import importlib.metadata

import accounts
import running
import token_shares
from pydlms import DlmsData
from pydlms_accounts import PydlmsAccounts


class PydlmsTokenShares(PydlmsAccounts):
    """DlmsClient with typed data."""

    def share(self, rows):
        """SET of an array put together by hand: the library's model is wrong (fault 17)."""
        made = [
            DlmsData.structure(
                [
                    DlmsData.octet_string(bytes(int(group) for group in name.split("."))),
                    DlmsData.uint8(percent),
                ]
            )
            for name, percent in rows
        ]
        self._ask(self._client.set, accounts.ACCOUNT[1], 111, 12, DlmsData.array(made))


if __name__ == "__main__":
    token_shares.register()
    running.run(PydlmsTokenShares, importlib.metadata.version("pydlms-client"))
