"""What several GPUs reach together, measured on runs that dtui itself deploys and launches."""
