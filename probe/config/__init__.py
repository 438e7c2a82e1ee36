"""What the user sets: configuration, rule-set files, and the files that are watched for changes."""
