"""The whole service on one machine: `gradientd up`."""
