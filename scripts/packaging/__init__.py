"""What is looked at before a release: what is in the packages, where they install, whose licences come with them."""
