"""DLMS/COSEM without input or output: bytes and time go in, bytes and the next wake-up come out."""
