"""The appliance in virtual time: hours of its shipped schedule in seconds."""
