// Package auth is the service that a broker asks over HTTP whether a device may connect: who the devices of a run are
// ([Users]), and how the service answers ([Server]).
//
// It speaks as RabbitMQ's plugin rabbitmq_auth_backend_http does, and as services do that were made for it: a POST of a
// form to /user, /vhost, /resource or /topic is answered with 200 and the word allow or deny. The first asks for a
// name and a password, the others whether somebody who is logged in may use something.
//
// Every question is one record, written before it is answered ([Record]), so that after a SIGKILL all that was answered
// is counted: the pipe that holds the records still exists then. What nobody reads, as while the service is down, is no
// question and is not counted; what waits while the service is frozen is counted when it goes on.
package auth
