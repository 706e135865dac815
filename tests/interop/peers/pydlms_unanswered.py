"""pydlms-client asks without wanting an answer, to one meter and to all on the line.

See `answering` for what is asked; a case has the keys, octets in hexadecimal, `hdlc`, and whether
it goes by `short_names`. What was done is read back behind it, in a request with an answer.
"""

from contextlib import contextmanager

import answering
import pydlms_security
from pydlms import DlmsData
from pydlms.apdu import sn, xdlms
from pydlms.obis import ObisCode

MESSAGE = (1, "0.0.96.13.1.255", 2)
NAME = (1, "0.0.42.0.0.255", 2)
RELAY = (70, "0.0.96.3.10.255")
OFF, ON = 1, 2


@contextmanager
def connected(case):
    """A client with an open association, released at the end."""
    client = pydlms_security.client_of(case)
    client.association.settings.logical_names = not case["short_names"]
    client.association.settings.propose_access = not case["short_names"]
    try:
        client.connect()
        yield client
        client.close()
    except BaseException as error:
        client.link.transport.close()
        error.octets = client.trace.take()
        raise


def seen(client):
    """What the message to the customer is, and whether the relay is closed."""
    message = client.get(MESSAGE[1], MESSAGE[0], MESSAGE[2]).to_python()
    return [bytes(message).decode(), client.get(RELAY[1], RELAY[0], 2).to_python()]


def attribute(class_id, name, index):
    """An attribute's descriptor."""
    return xdlms.AttributeDescriptor(class_id, ObisCode.parse(name), index)


def invoke(client):
    """The invoke-id of a request without an answer."""
    return xdlms.invoke_id_byte(client.association.next_invoke_id() & 0x0F, confirmed=False)


def write(client, where, text):
    """SET or UnconfirmedWrite."""
    value = DlmsData.octet_string(text.encode())
    if client.association.settings.logical_names:
        request = xdlms.SetRequestNormal(invoke(client), attribute(*where), value)
    else:
        base = client._base_name(where[0], ObisCode.parse(where[1]))
        name = sn.VariableName(sn.attribute_address(base, where[2]))
        request = sn.UnconfirmedWriteRequest([name], [value])
    client.association.send_unconfirmed(request.to_bytes())


def unconfirmed(case):
    """Write the message, and a name that nobody may write."""
    with connected(case) as client:
        write(client, MESSAGE, case["text"])
        write(client, NAME, case["text"])
        return seen(client)


def act_unconfirmed(case):
    """Open the relay."""
    with connected(case) as client:
        method = xdlms.MethodDescriptor(RELAY[0], ObisCode.parse(RELAY[1]), OFF)
        request = xdlms.ActionRequestNormal(invoke(client), method, DlmsData.int8(0))
        client.association.send_unconfirmed(request.to_bytes())
        return seen(client)


def access_unconfirmed(case):
    """Write the message and close the relay, in one ACCESS."""
    with connected(case) as client:
        specifications = [
            xdlms.AccessRequestSet(attribute(*MESSAGE)),
            xdlms.AccessRequestAction(
                xdlms.MethodDescriptor(RELAY[0], ObisCode.parse(RELAY[1]), ON)
            ),
        ]
        values = [DlmsData.octet_string(case["text"].encode()), DlmsData.int8(0)]
        number = client.association.next_long_invoke_id(confirmed=False)
        request = xdlms.AccessRequest(number, None, specifications, values)
        client.association.send_unconfirmed(request.to_bytes())
        return seen(client)


def broadcast(case):
    """Write the message under the broadcast key, to every meter on the line."""
    with connected(case) as client:
        text = DlmsData.octet_string(case["text"].encode())
        client.broadcast_set(MESSAGE[1], MESSAGE[0], MESSAGE[2], text)
        return seen(client)


if __name__ == "__main__":
    answering.answer(globals())
