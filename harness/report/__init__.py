# SPDX-License-Identifier: Apache-2.0
"""What became of many runs, for people and for other programs.

A *night* is a folder: `events.jsonl` tells all of it in the order in which it happened, one JSON
object in a line (`record.py` says which); everything else is made from that file.
"""
