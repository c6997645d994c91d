"""Protocol contract, workflow graph, scheduler, executors, provenance: streaming and durable."""
