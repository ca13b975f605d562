//! The events that the world sends: complete EventBridge envelopes, as AWS writes them.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_cwe_events.html>

use jiff::Timestamp;
use model::ServiceKey;
use model::snapshot::{Health, TaskStatus};
use serde_json::{Map, Value, json};

use crate::delivery::{Delivered, Message, Sent};
use crate::state::Task;
use crate::world::World;

/// The word that AWS uses for a health.
pub(crate) const fn health_word(health: Health) -> &'static str {
    match health {
        Health::Healthy => "HEALTHY",
        Health::Unhealthy => "UNHEALTHY",
        Health::Unknown => "UNKNOWN",
    }
}

/// Times in events: text in UTC, with milliseconds where there are any.
pub(crate) fn iso(at: Timestamp) -> Value {
    Value::String(at.to_string())
}

/// The `time` of an envelope has whole seconds.
pub(crate) fn iso_secs(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second())
        .unwrap_or(at)
        .to_string()
}

impl World {
    /// The events that have arrived by now, in the order of their arrival, complete with envelope.
    pub fn take_due_events(&mut self) -> Vec<Delivered> {
        self.outbox.take_due(self.now)
    }

    /// Sends an event into the world, as an AWS service does: for sources that the world has no model of.
    pub fn send_event(
        &mut self,
        source: &str,
        detail_type: &str,
        resources: &[String],
        detail: Value,
    ) {
        let number = self.outbox.next_number();
        let subject = format!(
            "{source}/{detail_type}/{}",
            resources.first().map_or("", String::as_str)
        );
        self.send(source, detail_type, resources, detail, &subject, number);
    }

    /// The messages that lifecycle hooks sent to their targets and that have arrived by now, in the order of their arrival.
    pub fn take_due_messages(&mut self) -> Vec<Message> {
        self.outbox.take_due_messages(self.now)
    }

    /// Sends a message to a queue or topic. `id` must be its own.
    pub(crate) fn send_message(&mut self, target: &str, body: &Value, id: &str) {
        if self.config.delivery.silent {
            return;
        }
        let message = Message {
            sent_at: self.now,
            at: self.now,
            id: id.to_owned(),
            target: target.to_owned(),
            body: body.to_string(),
        };
        self.outbox
            .send_message(&message, &self.config.delivery, self.dice);
    }

    pub(crate) fn send(
        &mut self,
        source: &str,
        detail_type: &str,
        resources: &[String],
        detail: Value,
        subject: &str,
        number: u64,
    ) {
        self.send_late(source, detail_type, resources, detail, (subject, number), 0);
    }

    /// Sends an event that EventBridge gets so many milliseconds later than others. Its `time` is now.
    pub(crate) fn send_late(
        &mut self,
        source: &str,
        detail_type: &str,
        resources: &[String],
        detail: Value,
        (subject, number): (&str, u64),
        lateness_ms: i64,
    ) {
        if self.config.delivery.silent {
            return;
        }
        let id = self.dice.uuid("event", subject, number);
        let envelope = json!({
            "version": "0",
            "id": id,
            "detail-type": detail_type,
            "source": source,
            "account": self.config.account,
            "time": iso_secs(self.now),
            "region": self.config.region,
            "resources": resources,
            "detail": detail,
        });
        let sent = Sent {
            payload: envelope,
            called: None,
        };
        self.outbox.send(
            sent,
            &id,
            self.now,
            lateness_ms,
            &self.config.delivery,
            self.dice,
        );
    }

    /// An AWS service calls a function itself. Lambda takes such a call for certain, and may pass it on twice.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html>
    pub(crate) fn call_function(
        &mut self,
        function: &str,
        subject: &str,
        payload: Value,
        number: u64,
    ) {
        if self.config.delivery.silent {
            return;
        }
        let id = self.dice.uuid("function call", subject, number);
        let sent = Sent {
            payload,
            called: Some(function.to_owned()),
        };
        let (now, dice) = (self.now, self.dice);
        self.outbox
            .send(sent, &id, now, 0, &self.config.delivery, dice);
    }

    /// Sends a task's state, after it changed.
    pub(crate) fn send_task_event(&mut self, id: &str) {
        let Some(task) = self.state.tasks.get(id) else {
            return;
        };
        if self.config.delivery.silent {
            return;
        }
        let mut detail = self.task_json(task, iso);
        detail.insert("updatedAt".to_owned(), iso(self.now));
        let (arn, version) = (task.arn.clone(), task.version);
        self.send(
            "aws.ecs",
            "ECS Task State Change",
            std::slice::from_ref(&arn),
            Value::Object(detail),
            &arn,
            version,
        );
    }

    /// Sends a service action. `number` tells it apart from others of the same service and name.
    pub(crate) fn send_service_action(
        &mut self,
        key: &ServiceKey,
        event_type: &str,
        event_name: &str,
        extra: Map<String, Value>,
    ) {
        let arn = self.service_arn(key);
        let mut detail = Map::new();
        detail.insert("eventType".to_owned(), json!(event_type));
        detail.insert("eventName".to_owned(), json!(event_name));
        detail.insert(
            "clusterArn".to_owned(),
            json!(self.cluster_arn(&key.cluster)),
        );
        detail.insert("createdAt".to_owned(), iso(self.now));
        detail.extend(extra);
        let number = self.next_entry(key);
        self.send(
            "aws.ecs",
            "ECS Service Action",
            std::slice::from_ref(&arn),
            Value::Object(detail),
            &arn,
            number,
        );
    }

    /// Sends a deployment's state.
    pub(crate) fn send_deployment_event(
        &mut self,
        key: &ServiceKey,
        deployment: &str,
        event_name: &str,
        reason: &str,
    ) {
        let arn = self.service_arn(key);
        let detail = json!({
            "eventType": "INFO",
            "eventName": event_name,
            "deploymentId": deployment,
            "updatedAt": iso(self.now),
            "reason": reason,
        });
        let number = self.next_entry(key);
        self.send(
            "aws.ecs",
            "ECS Deployment State Change",
            std::slice::from_ref(&arn),
            detail,
            &arn,
            number,
        );
    }

    /// Writes a line into the service's own log.
    pub(crate) fn log_service(&mut self, key: &ServiceKey, text: &str) {
        let number = self.next_entry(key);
        let id = self.dice.uuid("service log", &key.to_string(), number);
        let now = self.now;
        if let Some(service) = self.state.services.get_mut(key) {
            let line = format!("(service {}) {text}", key.service);
            service.events.push_front((now, id, line));
            service.events.truncate(100);
        }
    }

    /// Writes a line that counts something into the service's own log. Lines of one moment about the same are one line.
    pub(crate) fn log_counted(&mut self, key: &ServiceKey, does: &str, what: &str) {
        let now = self.now;
        let Some(service) = self.state.services.get_mut(key) else {
            return;
        };
        let counted = service
            .counted
            .entry((does.to_owned(), what.to_owned()))
            .or_insert((now, 0));
        if counted.0 != now {
            *counted = (now, 0);
        }
        counted.1 += 1;
        let count = counted.1;
        let line = |count: u32| format!("(service {}) {does} {count} {what}", key.service);
        let before = line(count - 1);
        let of_now = service.events.iter_mut().take_while(|(at, ..)| *at == now);
        for (_, _, text) in of_now {
            if *text == before {
                *text = line(count);
                return;
            }
        }
        self.log_service(key, &format!("{does} {count} {what}"));
    }

    pub(crate) fn next_entry(&mut self, key: &ServiceKey) -> u64 {
        self.state.services.get_mut(key).map_or(0, |service| {
            service.entries_made += 1;
            service.entries_made
        })
    }

    /// A task as API and events have it; they differ in how they write times.
    pub(crate) fn task_json(
        &self,
        task: &Task,
        time: fn(Timestamp) -> Value,
    ) -> Map<String, Value> {
        let mut json = Map::new();
        let mut put = |name: &str, value: Value| {
            json.insert(name.to_owned(), value);
        };
        put("attachments", self.network_of(task));
        if !task.zone.is_empty() {
            put("availabilityZone", json!(task.zone));
        }
        if let Some(provider) = &task.provider {
            put("capacityProviderName", json!(provider));
        }
        put("clusterArn", json!(self.cluster_arn(&task.cluster)));
        if let Some(arn) = self.container_instance_arn(task) {
            put("containerInstanceArn", json!(arn));
        }
        put("containers", self.containers_of(task));
        put("cpu", json!(task.needs.cpu_units.to_string()));
        put("createdAt", time(task.created_at));
        let desired = if task.desired_running {
            "RUNNING"
        } else {
            "STOPPED"
        };
        put("desiredStatus", json!(desired));
        put("enableExecuteCommand", json!(false));
        put("group", json!(task.group));
        put("healthStatus", json!(health_word(task.health)));
        put("launchType", json!(task.launch_type));
        put("lastStatus", json!(task.last_status.as_str()));
        put("memory", json!(task.needs.memory_mib.to_string()));
        put("overrides", self.overrides_of(task));
        if task.launch_type == "FARGATE" {
            put("platformVersion", json!("1.4.0"));
            put("platformFamily", json!("Linux"));
        }
        put("startedBy", json!(task.deployment));
        for (name, at) in [
            ("startedAt", task.started_at),
            ("stoppingAt", task.stopping_at),
            ("stoppedAt", task.stopped_at),
        ] {
            if let Some(at) = at {
                put(name, time(at));
            }
        }
        if let Some(code) = task.stop_code {
            put("stopCode", json!(code));
        }
        if let Some(reason) = &task.stopped_reason {
            put("stoppedReason", json!(reason));
        }
        put("taskArn", json!(task.arn));
        put("taskDefinitionArn", json!(task.task_definition));
        put("version", json!(task.version));
        json
    }

    fn network_of(&self, task: &Task) -> Value {
        let on_instance = task.container_instance.is_some() && task.needs.network_interfaces > 0;
        if task.launch_type != "FARGATE" && !on_instance {
            return json!([]);
        }
        let status = match task.last_status {
            TaskStatus::Provisioning => "PRECREATED",
            TaskStatus::Pending
            | TaskStatus::Activating
            | TaskStatus::Running
            | TaskStatus::Deactivating
            | TaskStatus::Stopping
            | TaskStatus::Unknown => "ATTACHED",
            TaskStatus::Deprovisioning => "DETACHING",
            TaskStatus::Stopped => "DELETED",
        };
        let subnet = self.dice.hex(17, "subnet", &task.zone, 0);
        let interface = self.dice.hex(17, "network interface", task.id(), 0);
        json!([{
            "id": self.dice.uuid("attachment", task.id(), 0),
            "type": if task.last_status == TaskStatus::Stopped { "ElasticNetworkInterface" } else { "eni" },
            "status": status,
            "details": [
                { "name": "subnetId", "value": format!("subnet-{subnet}") },
                { "name": "networkInterfaceId", "value": format!("eni-{interface}") },
            ],
        }])
    }

    fn containers_of(&self, task: &Task) -> Value {
        let status = match task.last_status {
            TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Unknown => "PENDING",
            TaskStatus::Activating
            | TaskStatus::Running
            | TaskStatus::Deactivating
            | TaskStatus::Stopping => "RUNNING",
            TaskStatus::Deprovisioning | TaskStatus::Stopped => "STOPPED",
        };
        let names = self.containers_named(task);
        let one = |(index, (name, cpu)): (u64, (String, Value))| {
            json!({
                "containerArn": format!(
                    "arn:aws:ecs:{}:{}:container/{}/{}/{}",
                    self.config.region,
                    self.config.account,
                    task.cluster,
                    task.id(),
                    self.dice.uuid("container", task.id(), index),
                ),
                "name": name,
                "lastStatus": status,
                "healthStatus": health_word(task.health),
                "taskArn": task.arn,
                "cpu": cpu,
            })
        };
        (0..).zip(names).map(one).collect()
    }

    /// The names of a task's containers, and their CPU units as a text.
    fn containers_named(&self, task: &Task) -> Vec<(String, Value)> {
        let definition = self.state.task_definitions.get(&task.task_definition);
        let containers = definition.into_iter().flat_map(|it| &it.containers);
        let named: Vec<(String, Value)> = containers
            .map(|it| {
                let name = it.get("name").and_then(Value::as_str).unwrap_or("app");
                let cpu = it.get("cpu").and_then(Value::as_u64).unwrap_or(0);
                (name.to_owned(), json!(cpu.to_string()))
            })
            .collect();
        if named.is_empty() {
            vec![("app".to_owned(), json!("0"))]
        } else {
            named
        }
    }

    fn overrides_of(&self, task: &Task) -> Value {
        task.overrides.clone().unwrap_or_else(|| {
            let names = self.containers_named(task).into_iter();
            let containers: Vec<Value> = names.map(|(name, _)| json!({ "name": name })).collect();
            json!({ "containerOverrides": containers })
        })
    }

    pub(crate) fn container_instance_arn(&self, task: &Task) -> Option<String> {
        let id = task.container_instance.as_ref()?;
        Some(format!(
            "arn:aws:ecs:{}:{}:container-instance/{}/{id}",
            self.config.region, self.config.account, task.cluster
        ))
    }

    /// A cluster's ARN.
    #[must_use]
    pub fn cluster_arn(&self, cluster: &model::ClusterName) -> String {
        format!(
            "arn:aws:ecs:{}:{}:cluster/{cluster}",
            self.config.region, self.config.account
        )
    }

    /// A service's ARN.
    #[must_use]
    pub fn service_arn(&self, key: &ServiceKey) -> String {
        format!(
            "arn:aws:ecs:{}:{}:service/{key}",
            self.config.region, self.config.account
        )
    }

    /// A capacity provider's ARN.
    #[must_use]
    pub fn provider_arn(&self, provider: &str) -> String {
        format!(
            "arn:aws:ecs:{}:{}:capacity-provider/{provider}",
            self.config.region, self.config.account
        )
    }
}
