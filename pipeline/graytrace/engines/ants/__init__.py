"""ANTs behind the stages of Graytrace."""
