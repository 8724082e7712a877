"""``slidebridge dashboard``: what happens now and how slides look, in a browser on this machine; it only reads."""
