"""The first octet of each APDU, and which ciphered APDU carries which plain one."""

from enum import IntEnum


class ApduTag(IntEnum):
    """The tags that this package knows by name, those that it refuses included."""

    INITIATE_REQUEST = 1
    READ_REQUEST = 5
    WRITE_REQUEST = 6
    INITIATE_RESPONSE = 8
    CONFIRMED_SERVICE_ERROR = 14
    DATA_NOTIFICATION = 15
    GLO_INITIATE_REQUEST = 33
    GLO_INITIATE_RESPONSE = 40
    AARQ = 0x60
    AARE = 0x61
    RLRQ = 0x62
    RLRE = 0x63
    GET_REQUEST = 192
    SET_REQUEST = 193
    EVENT_NOTIFICATION = 194
    ACTION_REQUEST = 195
    GET_RESPONSE = 196
    SET_RESPONSE = 197
    ACTION_RESPONSE = 199
    GLO_GET_REQUEST = 200
    GLO_SET_REQUEST = 201
    GLO_EVENT_NOTIFICATION = 202
    GLO_ACTION_REQUEST = 203
    GLO_GET_RESPONSE = 204
    GLO_SET_RESPONSE = 205
    GLO_ACTION_RESPONSE = 207
    DED_GET_REQUEST = 208
    DED_SET_REQUEST = 209
    DED_EVENT_NOTIFICATION = 210
    DED_ACTION_REQUEST = 211
    DED_GET_RESPONSE = 212
    DED_SET_RESPONSE = 213
    DED_ACTION_RESPONSE = 215
    EXCEPTION_RESPONSE = 216
    GENERAL_GLO_CIPHERING = 219
    GENERAL_DED_CIPHERING = 220


#: The plain APDU's tag by the tag of its service-specific globally ciphered form.
PLAIN_BY_GLO: dict[int, ApduTag] = {
    ApduTag.GLO_INITIATE_REQUEST: ApduTag.INITIATE_REQUEST,
    ApduTag.GLO_INITIATE_RESPONSE: ApduTag.INITIATE_RESPONSE,
    ApduTag.GLO_GET_REQUEST: ApduTag.GET_REQUEST,
    ApduTag.GLO_SET_REQUEST: ApduTag.SET_REQUEST,
    ApduTag.GLO_ACTION_REQUEST: ApduTag.ACTION_REQUEST,
    ApduTag.GLO_GET_RESPONSE: ApduTag.GET_RESPONSE,
    ApduTag.GLO_SET_RESPONSE: ApduTag.SET_RESPONSE,
    ApduTag.GLO_ACTION_RESPONSE: ApduTag.ACTION_RESPONSE,
}

#: The other way round.
GLO_BY_PLAIN: dict[int, ApduTag] = {plain: ApduTag(glo) for glo, plain in PLAIN_BY_GLO.items()}

#: Ciphered under a dedicated key, which nobody agrees on here.
DEDICATED = frozenset(
    (
        ApduTag.DED_GET_REQUEST,
        ApduTag.DED_SET_REQUEST,
        ApduTag.DED_EVENT_NOTIFICATION,
        ApduTag.DED_ACTION_REQUEST,
        ApduTag.DED_GET_RESPONSE,
        ApduTag.DED_SET_RESPONSE,
        ApduTag.DED_ACTION_RESPONSE,
        ApduTag.GENERAL_DED_CIPHERING,
    )
)

#: What a server may send without being asked.
NOTIFICATIONS = frozenset(
    (
        ApduTag.DATA_NOTIFICATION,
        ApduTag.EVENT_NOTIFICATION,
        ApduTag.GLO_EVENT_NOTIFICATION,
        ApduTag.DED_EVENT_NOTIFICATION,
    )
)
