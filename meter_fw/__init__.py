"""The meter's firmware: one kernel that is ticked with inputs and answers with outputs."""
