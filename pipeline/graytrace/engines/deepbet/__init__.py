"""deepbet behind the stages of Graytrace."""
