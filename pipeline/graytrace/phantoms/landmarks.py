"""Where things are in a head, in MNI152 millimeters: the shapes that the tissue maps do not show.

The maps tell gray from white matter; which gray matter is a nucleus, which white matter is brainstem and where the
face is has to be drawn. Sizes are of an adult; every phantom warps, scales and perturbs them.
"""

from __future__ import annotations

from graytrace.phantoms.shapes import Ellipsoid, Shape, Tube, both_sides

THALAMUS = both_sides(Ellipsoid((11, -19, 7), (9.5, 14, 9)))
PALLIDUM = both_sides(Ellipsoid((19.5, -4, 0), (5, 9, 6.5)))
OTHER_NUCLEI = both_sides(
    Ellipsoid((26, 3, 2), (7, 17, 11)),  # putamen
    Tube(((12, 15, -5, 6), (13, 16, 6, 7), (14, 4, 15, 5.5), (17, -10, 20, 4.5), (21, -25, 20, 3))),  # caudate
    Ellipsoid((10, 12, -8), (5, 6, 5)),  # accumbens
    Ellipsoid((23, -4, -20), (8.5, 8, 8)),  # amygdala
    Tube(((24, -10, -22, 6.5), (28, -20, -16, 6.5), (29, -32, -8, 5.5), (22, -38, 1, 4))),  # hippocampus
)
BRAINSTEM: tuple[Shape, ...] = (
    Tube(
        (
            (0, -20, -8, 13),
            (0, -26, -20, 14),
            (0, -27, -32, 15),
            (0, -33, -45, 11),
            (0, -42, -60, 8),
            (0, -46, -72, 7),
        )
    ),
    *both_sides(Ellipsoid((9, -27, -32), (11, 12, 12))),
)
CEREBELLUM = (
    *both_sides(Ellipsoid((25, -62, -39), (29, 32, 22))),
    Ellipsoid((0, -62, -28), (14, 24, 26)),
)
LATERAL_VENTRICLES = both_sides(
    Tube(((7, 30, -2, 7), (10, 22, 8, 9), (9, 5, 17, 8), (12, -12, 21, 9), (20, -34, 17, 10), (25, -48, 8, 10))),
    Tube(((25, -48, 8, 9), (26, -62, 8, 7), (24, -74, 8, 4))),  # occipital horn
    Tube(((26, -42, 4, 8), (34, -34, -6, 6), (35, -22, -14, 5), (32, -10, -18, 4.5))),  # temporal horn
)
MIDLINE_VENTRICLES: tuple[Shape, ...] = (
    Tube(((0, 2, -6, 5), (0, -10, 4, 6), (0, -24, 4, 5), (0, -30, -6, 3))),  # third, aqueduct
    Tube(((0, -38, -24, 5), (0, -44, -34, 9), (0, -46, -46, 4))),  # fourth
)
FORAMEN_MAGNUM_Z_MM = -70.0

HEAD_BELOW_THE_SKULL: tuple[Shape, ...] = (
    Ellipsoid((0, 48, -45), (63, 50, 62)),  # face
    Ellipsoid((0, 62, -90), (40, 34, 30)),  # chin
    Ellipsoid((0, 98, -36), (13, 15, 20)),  # nose
    Tube(((0, 88, -8, 12), (0, 100, -44, 12))),  # bridge of the nose
    Tube(((0, -22, -60, 62), (0, -30, -100, 60), (0, -40, -190, 62))),  # neck
    *both_sides(Ellipsoid((70, -22, -38), (8, 12, 26))),  # ear
)
EYES = both_sides(Ellipsoid((32, 63, -33), (12.2, 12.2, 12.2)))
LENSES = both_sides(Ellipsoid((32, 71.5, -33), (4.6, 2.2, 4.6)))
ORBITAL_FAT = both_sides(Tube(((31, 58, -33, 15), (24, 42, -32, 10), (16, 26, -28, 3))))
OPTIC_NERVES = both_sides(Tube(((32, 52, -33, 2), (22, 38, -31, 2), (12, 18, -26, 2))))
AIR: tuple[Shape, ...] = (
    Ellipsoid((0, 66, -52), (11, 30, 20)),  # nasal cavity
    Ellipsoid((0, 30, -32), (10, 9, 8)),  # sphenoid sinus
    Ellipsoid((0, 50, -33), (11, 18, 9)),  # ethmoid cells
    Ellipsoid((0, 83, 2), (16, 4, 9)),  # frontal sinus
    *both_sides(Ellipsoid((29, 62, -58), (12, 14, 15))),  # maxillary sinuses
    *both_sides(Ellipsoid((54, -30, -42), (5, 9, 11))),  # mastoid cells
    *both_sides(Tube(((48, -18, -38, 3), (74, -20, -40, 3)))),  # ear canals
    Tube(((0, 34, -58, 9), (0, 22, -78, 8), (0, 16, -110, 7), (0, 6, -190, 9))),  # pharynx, trachea
    Ellipsoid((0, 62, -82), (16, 22, 3)),  # mouth
)
FACE_BONES: tuple[Shape, ...] = (
    *both_sides(
        Tube(((50, 8, -48, 6), (48, 18, -82, 7), (30, 58, -100, 7), (0, 80, -106, 8))),  # lower jaw
        Tube(((44, 64, -44, 5), (58, 38, -46, 4), (66, 8, -44, 4))),  # cheek bone
        Tube(((44, 66, -20, 4), (30, 76, -14, 4), (10, 80, -18, 5))),  # rim of the orbit
    ),
    Tube(((-24, 60, -76, 5), (0, 80, -77, 6), (24, 60, -76, 5))),  # upper jaw
)
VERTEBRAE: tuple[Shape, ...] = (
    Ellipsoid((0, -22, -84), (9, 8, 14)),  # axis with its tooth
    *(Ellipsoid((0, -27 - 0.1 * step, -108 - step), (12, 11, 7.5)) for step in (0, 18, 36, 54, 72)),
    *both_sides(Ellipsoid((30, -42, -76), (15, 9, 6))),  # atlas
    *(Tube(((0, -66 - 0.1 * step, -100 - step, 5), (0, -82 - 0.1 * step, -106 - step, 4))) for step in (0, 18, 36, 54)),
)
NECK_MUSCLES: tuple[Shape, ...] = both_sides(
    Tube(((16, -72, -56, 13), (18, -78, -100, 14), (20, -82, -190, 16))),
    Tube(((44, -34, -56, 9), (46, -14, -100, 10), (38, 6, -190, 10))),
    Tube(((24, -30, -84, 9), (26, -34, -190, 11))),
    Tube(((58, 20, -10, 6), (56, 22, -40, 8), (52, 24, -84, 7))),  # temporal and masseter
)
SPINAL_CANAL: tuple[Shape, ...] = (Tube(((0, -46, -66, 13), (0, -49, -90, 9), (0, -53, -140, 9), (0, -60, -190, 9))),)
SPINAL_CORD: tuple[Shape, ...] = (
    Tube(((0, -46, -66, 7), (0, -49, -90, 5.5), (0, -53, -140, 5.5), (0, -60, -190, 5.5))),
)
VENOUS_SINUSES: tuple[Shape, ...] = (
    Tube(
        (
            (0, 74, 12, 2), (0, 68, 40, 3), (0, 40, 70, 3.5), (0, 0, 84, 4), (0, -40, 82, 4), (0, -80, 55, 4),
            (0, -104, 20, 4.5), (0, -108, -4, 5),
        )
    ),
    *both_sides(
        Tube(((0, -108, -6, 5), (30, -96, -16, 4.5), (54, -66, -28, 4.5), (54, -44, -40, 4.5), (42, -38, -60, 4)))
    ),
)  # fmt: skip
