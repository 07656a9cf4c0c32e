# SPDX-License-Identifier: Apache-2.0
"""Attestation: the root of trust of the machine under test, and the verifier of evidence.

Written from firmware/abi/attestation.md; no code and no computed value is shared with the
firmware. Signatures and encodings are those of the libraries: cryptography, cbor2, pycose.
"""
