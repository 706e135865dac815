"""Class 64, Security setup, versions 0 and 1.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them, and the public
``DlmsSPODES-project``, which is independent of both, has them too. Version 1 adds certificates and
key agreement, and its policy is a set of bits, ``protocol.security.SecurityPolicyBits``; that
package has the enumerations of suites, keys and certificates too.

``pydlms-client`` types neither a certificate's identification nor version 0 (its types are of
version 1 alone): the identification is as the other two have it. What ``export_certificate`` and
``generate_certificate_request`` give back is an octet-string, by the first of the three and
``pydlms-client``.
"""

from enum import IntEnum
from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import ENUM, OCTET_STRING, ArrayOf, ChoiceOf, structure_of


class SecurityPolicy(IntEnum):
    """What every APDU has to be, of version 0."""

    NOTHING = 0
    AUTHENTICATED = 1
    ENCRYPTED = 2
    AUTHENTICATED_AND_ENCRYPTED = 3


class CertificateIdentificationType(IntEnum):
    """How a certificate is named."""

    BY_ENTITY = 0
    BY_SERIAL = 1


#: A key, wrapped with the master key.
KEY_DATA: Final = structure_of(key_id=ENUM, key_wrapped=OCTET_STRING)
#: One side's half of a key agreement: an ephemeral public key, and its signature.
KEY_AGREEMENT_DATA: Final = structure_of(key_id=ENUM, key_data=OCTET_STRING)
#: What is shown of a certificate; an absent alternative name is an empty octet-string.
CERTIFICATE_INFO: Final = structure_of(
    certificate_entity=ENUM,
    certificate_type=ENUM,
    serial_number=OCTET_STRING,
    issuer=OCTET_STRING,
    subject=OCTET_STRING,
    subject_alt_name=OCTET_STRING,
)
_BY_ENTITY: Final = structure_of(
    certificate_entity=ENUM,
    certificate_type=ENUM,
    system_title=OCTET_STRING,
)
_BY_SERIAL: Final = structure_of(serial_number=OCTET_STRING, issuer=OCTET_STRING)
#: The name of a certificate: the options are a structure of 3 by entity and of 2 by serial.
CERTIFICATE_IDENTIFICATION: Final = structure_of(
    certificate_identification_type=ENUM,
    certificate_identification_options=ChoiceOf((_BY_ENTITY, _BY_SERIAL)),
)

_ATTRIBUTES: Final = (
    Attribute(2, "security_policy", ENUM),  # changed by security_activate alone
    Attribute(3, "security_suite", ENUM),
    Attribute(4, "client_system_title", OCTET_STRING, Access.READ_WRITE),
    Attribute(5, "server_system_title", OCTET_STRING),
)
_METHODS: Final = (
    Method(1, "security_activate", ENUM),
    Method(2, "key_transfer", ArrayOf(KEY_DATA)),
)

SECURITY_SETUP: Final = InterfaceClass(
    class_id=64,
    version=0,
    name="Security setup",
    attributes=_ATTRIBUTES,
    methods=_METHODS,
)
SECURITY_SETUP_1: Final = InterfaceClass(
    class_id=64,
    version=1,
    name="Security setup",
    attributes=(*_ATTRIBUTES, Attribute(6, "certificates", ArrayOf(CERTIFICATE_INFO))),
    methods=(
        *_METHODS,
        Method(3, "key_agreement", ArrayOf(KEY_AGREEMENT_DATA), ArrayOf(KEY_AGREEMENT_DATA)),
        Method(4, "generate_key_pair", ENUM),
        Method(5, "generate_certificate_request", ENUM, OCTET_STRING),
        Method(6, "import_certificate", OCTET_STRING),
        Method(7, "export_certificate", CERTIFICATE_IDENTIFICATION, OCTET_STRING),
        Method(8, "remove_certificate", CERTIFICATE_IDENTIFICATION),
    ),
)
