"""EAN-18: the number of a point of delivery, eighteen digits, the last of them a check digit.

The check digit is GS1's, modulo 10, one calculation for all GS1 identification numbers: the digits
before it are weighed 3, 1, 3 ... from the right, and the check digit brings the sum up to the next
multiple of ten. So say the public pages of GS1 India (gs1india.org/SERV/checkdgt.htm), GS1 Sweden
(gs1.se, "Så beräknas kontrollsiffran") and, in a table that has the weights of eighteen digits, GS1
Hong Kong (gs1hk.org/CheckDigitCalculator_en.htm).
"""

#: Digits of the number of a point of delivery.
LENGTH = 18


def check_digit(digits: str) -> int:
    """Return the check digit of the digits before it, of whichever GS1 number.

    >>> check_digit("629104150021")
    3
    """
    weighed = sum(int(digit) * (1 if index % 2 else 3) for index, digit in enumerate(digits[::-1]))
    return -weighed % 10


def check_ean(text: str) -> str:
    """Return an EAN of a point of delivery as it was given.

    Raises:
        ValueError: not eighteen digits, or the last one is wrong; the message says which.
    """
    if len(text) != LENGTH or not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text[:40]!a} is no EAN: it has {LENGTH} digits")
    right = check_digit(text[:-1])
    if int(text[-1]) != right:
        raise ValueError(f"EAN {text}: its last digit does not check, {right} would")
    return text
