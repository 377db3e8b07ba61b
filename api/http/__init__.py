"""What HTTP needs whatever the operation: context, parameters, bodies, responses, problems."""
