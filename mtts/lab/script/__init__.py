"""A subset of RouterOS' scripting language: what `/execute`, `/system/script` and the scheduler run in the lab.

Text is parsed as a whole against the words of one RouterOS version, so that a mistake anywhere keeps all of it
from running; then it is interpreted over one router, in simulated time. What is understood is listed in
docs/LAB.md; everything else is an error with line and column.
"""
