"""The world around the firmware: boards made of software, ports, loads, faces and demos."""
