"""FreeSurfer behind the stages of Graytrace."""
