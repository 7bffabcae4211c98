"""SPM under GNU Octave behind the stages of Graytrace."""
