"""Looking at running work: the record of a session, the load of the machine, alarms, reports."""
