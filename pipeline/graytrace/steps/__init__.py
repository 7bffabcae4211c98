"""The steps: one module per rule; paths in, engines and images, algorithms, images and a record out."""
