"""The first run: a real shop's purchases, several nights, a mail and a push sink, and a generator of reactions.

``journey`` reads the purchases, ``landing_files`` writes them as a shop would, ``reactions`` invents what recipients
do, ``first_run`` puts them together over ``include.local``.
"""

from include.demo.first_run import run_demo, sinks_of_the_demo

__all__ = ["run_demo", "sinks_of_the_demo"]
