"""What a meter tells when it is asked, for people and for machines."""
