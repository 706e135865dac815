"""Drives token_gateway_configuration by gurux-dlms 1.0.203; see `token_shares`."""

import importlib.metadata

import accounts
import running
import token_shares
from gurux_accounts import GuruxAccounts
from gurux_dlms.objects import GXDLMSAccount
from gurux_dlms.objects.GXTokenGatewayConfiguration import GXTokenGatewayConfiguration


class GuruxTokenShares(GuruxAccounts):
    """GXDLMSSecureClient with its own GXDLMSAccount."""

    def share(self, rows):
        """SET through the library's class."""
        target = GXDLMSAccount(accounts.ACCOUNT[1])
        for name, percent in rows:
            row = GXTokenGatewayConfiguration()
            row.creditReference, row.tokenProportion = name, percent
            target.tokenGatewayConfigurations.append(row)
        self._exchange(self._client.write(target, 12))


if __name__ == "__main__":
    token_shares.register()
    running.run(GuruxTokenShares, importlib.metadata.version("gurux-dlms"))
