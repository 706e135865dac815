"""OBIS codes (IEC 62056-6-1), units, scalers and the catalogue of the registers we carry."""
