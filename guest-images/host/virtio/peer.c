// SPDX-License-Identifier: BSD-2-Clause
/*
 * The other end of a guest's network, 10.0.2.2: it tells its MAC address (ARP,
 * RFC 826), answers pings (RFC 792) and echoes UDP on port 7 (RFC 862). It
 * touches nothing but the frame, whatever is in it.
 */
#include <string.h>

#include "virtio.h"

#define ETHERNET	14
#define ARP_SIZE	28
#define IP_SIZE		20
#define UDP_SIZE	8
#define ICMP_SIZE	8
#define TYPE_IP		0x0800
#define TYPE_ARP	0x0806
#define PROTOCOL_ICMP	1
#define PROTOCOL_UDP	17
#define PORT_ECHO	7
#define ICMP_REQUEST	8

static const uint8_t peer_mac[6] = { 0x02, 0x74, 0x65, 0x65, 0x00, 0x02 };
static const uint8_t peer_ip[4] = { 10, 0, 2, 2 };

static uint16_t get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

/* The Internet checksum (RFC 1071); 0 over bytes that have their own */
static uint16_t checksum(const uint8_t *bytes, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < size; i += 2)
		sum += get16(bytes + i);
	if (size % 2)
		sum += bytes[size - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static size_t answer_arp(const uint8_t *frame, size_t size, uint8_t *answer)
{
	const uint8_t *arp = frame + ETHERNET;
	uint8_t *reply = answer + ETHERNET;

	/* Ethernet, IPv4, a request for our address */
	if (size < ETHERNET + ARP_SIZE ||
	    memcmp(arp, "\x00\x01\x08\x00\x06\x04\x00\x01", 8) ||
	    memcmp(arp + 24, peer_ip, 4))
		return 0;
	memcpy(reply, arp, 8);
	reply[7] = 2;
	memcpy(reply + 8, peer_mac, 6);
	memcpy(reply + 14, peer_ip, 4);
	memcpy(reply + 18, arp + 8, 10);
	return ETHERNET + ARP_SIZE;
}

static bool echo_icmp(uint8_t *packet, size_t size)
{
	if (size < ICMP_SIZE || packet[0] != ICMP_REQUEST ||
	    checksum(packet, size))
		return false;
	packet[0] = 0;
	put16(packet + 2, 0);
	put16(packet + 2, checksum(packet, size));
	return true;
}

/* The sum over ports and addresses stays: they only change places. */
static bool echo_udp(uint8_t *packet, size_t size)
{
	uint16_t from;

	if (size < UDP_SIZE || get16(packet + 2) != PORT_ECHO)
		return false;
	from = get16(packet);
	put16(packet, PORT_ECHO);
	put16(packet + 2, from);
	return true;
}

static size_t answer_ip(const uint8_t *frame, size_t size, uint8_t *answer)
{
	const uint8_t *ip = frame + ETHERNET;
	uint8_t *reply = answer + ETHERNET;
	size_t total;
	bool echoed;

	/* No options, no fragments, whole, and for us */
	if (size < ETHERNET + IP_SIZE || ip[0] != 0x45 ||
	    get16(ip + 6) & 0x3fff || memcmp(ip + 16, peer_ip, 4) ||
	    checksum(ip, IP_SIZE))
		return 0;
	total = get16(ip + 2);
	if (total < IP_SIZE || total > size - ETHERNET)
		return 0;
	memcpy(reply, ip, total);
	memcpy(reply + 12, peer_ip, 4);
	memcpy(reply + 16, ip + 12, 4);
	echoed = ip[9] == PROTOCOL_ICMP ?
		 echo_icmp(reply + IP_SIZE, total - IP_SIZE) :
		 ip[9] == PROTOCOL_UDP && echo_udp(reply + IP_SIZE,
						   total - IP_SIZE);
	return echoed ? ETHERNET + total : 0;
}

size_t peer_answer(const uint8_t *frame, size_t size, uint8_t *answer)
{
	if (size < ETHERNET || size > PEER_FRAME_MAX)
		return 0;
	memcpy(answer, frame + 6, 6);
	memcpy(answer + 6, peer_mac, 6);
	memcpy(answer + 12, frame + 12, 2);
	switch (get16(frame + 12)) {
	case TYPE_ARP:
		return answer_arp(frame, size, answer);
	case TYPE_IP:
		return answer_ip(frame, size, answer);
	default:
		return 0;
	}
}
