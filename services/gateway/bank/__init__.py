"""Files of banks and customers' advices: bytes to neutral values, or a refusal that says where, why and how to mend it.

The way in is `sniff.read`. Nothing here opens a file, asks a clock or knows the ledger.
"""
