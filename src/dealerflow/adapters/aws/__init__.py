"""AWS behind the ports: SQS, SNS, SES, Step Functions, EventBridge, DynamoDB and S3."""
