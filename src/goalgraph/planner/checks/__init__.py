"""What `validate_plan` looks at."""
