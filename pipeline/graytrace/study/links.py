"""Which visits are compared beside each follow-up with the baseline, so that all of a patient's visits join."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from graytrace.study.planned import PlannedScan


def choose_links(
    scans: Sequence[PlannedScan], reference: str, *, earlier: Sequence[str] = ()
) -> list[tuple[PlannedScan, PlannedScan]]:
    """Further pairs of a patient: each visit with the next one, and with the reference.

    With V visits these are, together with the follow-ups' own pairs, 2 V - 3 of V (V - 1) / 2, and every visit is in a
    loop. Without the reference the first visit after it that is there takes its place.

    Parameters
    ----------
    scans : sequence of PlannedScan
        Those without a date or without a file have no link.
    reference : str
        Label of the visit that follow-ups are compared with; their pairs with it are none of these.
    earlier : sequence of str
        Labels of visits before the reference.

    Returns
    -------
    list of tuple of PlannedScan
        The earlier scan first, in the order of time.
    """
    dated = [(scan.day, place, scan) for place, scan in enumerate(scans) if scan.is_measured and scan.day is not None]
    ordered = [scan for _, _, scan in sorted(dated, key=lambda each: each[:2])]
    anchor = next((scan for scan in ordered if scan.visit == reference), None)
    anchor = anchor or next((scan for scan in ordered if scan.visit not in earlier), None)
    wanted = list(itertools.pairwise(ordered))
    if anchor is not None:
        place = ordered.index(anchor)
        wanted += [(scan, anchor) for scan in ordered[:place]] + [(anchor, scan) for scan in ordered[place + 1 :]]
    own = {(reference, scan.visit) for scan in scans if scan.visit not in earlier}
    links = {(first.visit, second.visit): (first, second) for first, second in wanted}
    found = [pair for visits, pair in links.items() if visits not in own and pair[0].day != pair[1].day]
    return sorted(found, key=lambda pair: (ordered.index(pair[1]), ordered.index(pair[0])))
