# SPDX-License-Identifier: Apache-2.0
"""The reference model: what a TSM answers to each call, and what the host can then see.

It is written from the CoVE specification and from firmware/abi/rules.md and shares nothing with any
TSM. Where several things are wrong with one call the documents do not say which is told: each of
their errors is right. A call that is refused changes nothing.
"""
