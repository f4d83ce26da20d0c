"""Where sessions are kept between runs; each backend is a module here."""
